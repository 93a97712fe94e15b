package bench

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"mcpentra/conformance/check"
	"mcpentra/conformance/internal/exchange"
	"mcpentra/conformance/loopback"
)

// How long a connection may stay silent before Raw gives up.
const (
	firstAnswer  = 5 * time.Second        // before the first answer to a short request
	slowBytes    = 256 << 10              // bytes of a request that add a second to firstAnswer
	nextAnswer   = 200 * time.Millisecond // before another answer
	closeTimeout = 2 * time.Second        // after our side is closed
)

// A Conversation is the server's side of one connection.
type Conversation struct {
	Answers []*Answer
	// Interim are the statuses 1xx that came before an answer.
	Interim []int
	// Closed says that the server closed the connection by itself.
	Closed bool
}

// Wire writes a request as HTTP/1.1, and adds lines to the end of its head as they are. The
// connection closes after the answer, unless a line says otherwise.
func (p *Probe) Wire(request Request, lines ...string) []byte {
	sent, err := p.prepare(context.Background(), request)
	if err != nil {
		return nil // the server will not answer an empty request
	}
	body, _ := io.ReadAll(sent.Body) // from memory
	var text bytes.Buffer
	fmt.Fprintf(&text, "%s %s HTTP/1.1\r\nHost: %s\r\n", sent.Method, sent.URL.RequestURI(), hostOf(sent))
	_ = sent.Header.Write(&text)
	joined := strings.ToLower(strings.Join(lines, "\n"))
	hasLength := strings.Contains(joined, "content-length") || strings.Contains(joined, "transfer-encoding")
	if !hasLength && len(body) > 0 {
		fmt.Fprintf(&text, "Content-Length: %d\r\n", len(body))
	}
	if !strings.Contains(joined, "connection:") {
		text.WriteString("Connection: close\r\n")
	}
	for _, line := range lines {
		text.WriteString(line + "\r\n")
	}
	text.WriteString("\r\n")
	text.Write(body)
	return text.Bytes()
}

func hostOf(request *http.Request) string {
	if request.Host != "" {
		return request.Host
	}
	return request.URL.Host
}

// Dial connects to the target for a check that writes HTTP/1.1 itself. An https URL uses TLS.
func (p *Probe) Dial(ctx context.Context) (net.Conn, error) {
	address, err := url.Parse(p.target.URL)
	if err != nil {
		return nil, &check.CannotJudge{Reason: "the endpoint's URL is malformed", Err: err}
	}
	port := address.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[address.Scheme]
	}
	host := net.JoinHostPort(address.Hostname(), port)
	var connection net.Conn
	if address.Scheme == "https" {
		dialer := &tls.Dialer{Config: p.tlsConfig([]string{"http/1.1"})}
		connection, err = dialer.DialContext(ctx, "tcp", host)
	} else {
		connection, err = loopback.Dial(ctx, "tcp", host)
	}
	if err != nil {
		return nil, &check.CannotJudge{Reason: "no connection to the server", Err: err}
	}
	return connection, nil
}

// patience returns how long a server may be silent before its first answer to a request of this
// length in bytes. A busy server needs seconds to read several megabytes.
func patience(length int) time.Duration {
	return firstAnswer + time.Duration(length/slowBytes)*time.Second
}

// Raw writes bytes on a new connection. It reads answers until the server closes the connection or
// stays silent. An error means that there was no connection; closing it without an answer is a
// valid reaction.
func (p *Probe) Raw(ctx context.Context, text []byte) (*Conversation, error) {
	connection, err := p.Dial(ctx)
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	stop := context.AfterFunc(ctx, func() { _ = connection.Close() })
	defer stop()
	p.last = func() string { return p.rawRecord(text) }
	_ = connection.SetDeadline(time.Now().Add(patience(len(text))))
	// The server may answer and close before it has read everything, so an error here means
	// nothing.
	_, _ = connection.Write(text)
	conversation := &Conversation{}
	reader := bufio.NewReader(io.LimitReader(connection, maxAnswer))
	weClosed := false
	for {
		_, err := reader.Peek(1)
		isSilent := len(conversation.Answers) > 0 && errors.Is(err, os.ErrDeadlineExceeded)
		if half, can := connection.(interface{ CloseWrite() error }); can && isSilent && !weClosed {
			// A server that waits for the next request closes the connection now.
			weClosed = true
			_ = half.CloseWrite()
			_ = connection.SetReadDeadline(time.Now().Add(closeTimeout))
			continue
		}
		response, err := http.ReadResponse(reader, nil)
		if err != nil {
			conversation.Closed = !weClosed && !errors.Is(err, os.ErrDeadlineExceeded)
			return conversation, ctx.Err()
		}
		answer := &Answer{Status: response.StatusCode, Header: response.Header}
		answer.Body, err = io.ReadAll(response.Body)
		_ = response.Body.Close()
		p.answered(ctx, func() string { return p.rawRecord(text) + "→ " + p.shown(response.Status) + "\n" })
		if response.StatusCode < http.StatusOK {
			conversation.Interim = append(conversation.Interim, response.StatusCode)
			continue
		}
		conversation.Answers = append(conversation.Answers, answer)
		if err != nil {
			conversation.Closed = !weClosed && !errors.Is(err, os.ErrDeadlineExceeded)
			return conversation, ctx.Err()
		}
		if !weClosed {
			_ = connection.SetReadDeadline(time.Now().Add(nextAnswer))
		}
	}
}

// rawRecord describes the head of the bytes for a report.
func (p *Probe) rawRecord(text []byte) string {
	var shown strings.Builder
	head, _, _ := bytes.Cut(text, []byte("\r\n\r\n"))
	for line := range bytes.Lines(head) {
		if shown.Len() > exchange.MaxRecord {
			shown.WriteString("  …\n")
			break
		}
		shown.WriteString(p.shown(string(line)) + "\n")
	}
	return shown.String()
}
