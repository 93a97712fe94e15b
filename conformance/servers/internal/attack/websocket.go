package attack

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"mcpentra/conformance/servers/internal/bench"
)

// A Handshake is the request that opens a WebSocket (RFC 6455 section 4.1).
type Handshake struct {
	URL      string // empty means the MCP endpoint
	Query    map[string][]string
	Lines    []string // added to the head
	Protocol string   // Sec-WebSocket-Protocol; empty sends none
	// Message is sent when the WebSocket is open. Nil sends nothing.
	Message []byte
}

// How long a handshake and the answer to a message may take.
const (
	handshakeTime = 3 * time.Second
	maxFrame      = 1 << 20 // bytes
)

// WebSocket tries a handshake. It returns the status, and the answer to the message if there is
// one. The status is 0 if the server closes the connection.
func WebSocket(ctx context.Context, p *bench.Probe, handshake Handshake) (status int, answer []byte, err error) {
	connection, err := p.Dial(ctx)
	if err != nil {
		return 0, nil, err
	}
	defer connection.Close()
	stop := context.AfterFunc(ctx, func() { _ = connection.Close() })
	defer stop()
	_ = connection.SetDeadline(time.Now().Add(handshakeTime))
	lines := append([]string{
		"Connection: Upgrade",
		"Upgrade: websocket",
		"Sec-WebSocket-Version: 13",
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
	}, handshake.Lines...)
	if handshake.Protocol != "" {
		lines = append(lines, "Sec-WebSocket-Protocol: "+handshake.Protocol)
	}
	text := p.Wire(bench.Request{Method: http.MethodGet, URL: handshake.URL, Query: handshake.Query}, lines...)
	if _, err := connection.Write(text); err != nil {
		return 0, nil, ctx.Err()
	}
	reader := bufio.NewReader(connection)
	response, err := http.ReadResponse(reader, nil)
	if err != nil {
		return 0, nil, ctx.Err()
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusSwitchingProtocols || handshake.Message == nil {
		return response.StatusCode, nil, ctx.Err()
	}
	return response.StatusCode, roundTrip(connection, reader, handshake.Message), ctx.Err()
}

// roundTrip sends a text frame and returns the first text frame that is a response, or nil.
func roundTrip(connection net.Conn, reader *bufio.Reader, message []byte) []byte {
	if _, err := connection.Write(textFrame(message)); err != nil {
		return nil
	}
	for {
		payload, err := readFrame(reader)
		if err != nil {
			return nil
		}
		if bytes.Contains(payload, []byte(`"result"`)) || bytes.Contains(payload, []byte(`"error"`)) {
			return payload
		}
	}
}

// textFrame writes a masked frame (RFC 6455 section 5.2). The mask is zero, which leaves the text
// as it is.
func textFrame(text []byte) []byte {
	frame := []byte{0x81, 0x80 | 126}
	frame = binary.BigEndian.AppendUint16(frame, uint16(min(len(text), 0xffff)))
	frame = append(frame, 0, 0, 0, 0)
	return append(frame, text...)
}

// readFrame reads a frame of a server, which has no mask.
func readFrame(reader *bufio.Reader) ([]byte, error) {
	var head [2]byte
	if _, err := io.ReadFull(reader, head[:]); err != nil {
		return nil, err
	}
	length := uint64(head[1] & 0x7f)
	switch length {
	case 126:
		var short uint16
		if err := binary.Read(reader, binary.BigEndian, &short); err != nil {
			return nil, err
		}
		length = uint64(short)
	case 127:
		if err := binary.Read(reader, binary.BigEndian, &length); err != nil {
			return nil, err
		}
	}
	if length > maxFrame {
		return nil, io.ErrUnexpectedEOF
	}
	payload := make([]byte, length)
	_, err := io.ReadFull(reader, payload)
	return payload, err
}

// HasResult reports whether a text is the result of a request.
func HasResult(text []byte) bool {
	return strings.Contains(string(text), `"result"`) && (&bench.Answer{Status: http.StatusOK, Body: text}).Succeeded()
}
