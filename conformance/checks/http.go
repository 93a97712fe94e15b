package checks

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"mcpentra/conformance/engine"
)

// httpLayer: that one request is one request, and that nobody can hold the server up (RFC 9112, RFC 9110).
func httpLayer() []engine.Check {
	good := []engine.TokenKind{engine.Good}
	return []engine.Check{
		{
			ID: "server/http/framing", Role: engine.Server, Level: engine.Must, Severity: engine.High, Needs: good, Covers: []string{"RS-073"},
			Reference: "RFC 9112 sections 2.2, 5.1, 6.1, 6.3 and 7.1",
			Sentence:  "A request whose length can be read in two ways is refused, or Transfer-Encoding alone decides and the connection ends; it never gets two answers.",
			Run:       framing,
		},
		{
			ID:          "server/http/trailers",
			Role:        engine.Server,
			Level:       engine.Must,
			Severity:    engine.Critical,
			Needs:       good,
			NeedsCanary: true,
			Covers:      []string{"RS-073"},
			Reference:   "RFC 9110 sections 6.5.1, 9.2.2 and 11.6.2",
			Sentence:    "A call with trailer fields runs at most once, and a token in one of them does not count.",
			Run:         trailers,
		},
		{
			ID: "server/limits/head", Role: engine.Server, Level: engine.Must, Severity: engine.Medium, Needs: good, Disruptive: true, Covers: []string{"RS-070"},
			Reference: "RFC 6585 section 5; RFC 9110 section 5.4",
			Sentence:  "Long headers, long tokens and many headers are refused or borne, and the server goes on.",
			Run:       longHeads,
		},
		{
			ID: "server/limits/body", Role: engine.Server, Level: engine.Must, Severity: engine.High, Needs: good, Disruptive: true, Covers: []string{"RS-071"},
			Reference: "RFC 9110 section 15.5.14",
			Sentence:  "Long, deep and compressed bodies are refused or borne, and the server goes on.",
			Run:       longBodies,
		},
		{
			ID: "server/limits/bad-signatures", Role: engine.Server, Level: engine.Policy, Severity: engine.Medium, Needs: good, Disruptive: true, Covers: []string{"RS-074"},
			Reference: "OWASP API Security Top 10 2023, API4",
			Sentence:  "While many tokens with bad signatures come, and after them, good tokens are served.",
			Run:       badSignatures,
		},
		{
			ID: "server/limits/linear", Role: engine.Server, Level: engine.Policy, Severity: engine.Medium, Needs: good, Disruptive: true, Covers: []string{"RS-077"},
			Reference: "OWASP API Security Top 10 2023, API4",
			Sentence:  "A text that a parser could go through again and again takes no longer than a harmless one of its length.",
			Run:       linear,
		},
		{
			ID: "server/limits/slow-reading", Role: engine.Server, Level: engine.Policy, Severity: engine.High, Needs: good, Disruptive: true, Covers: []string{"RS-072"},
			Reference: "OWASP API Security Top 10 2023, API4",
			Sentence:  "An answer that its caller does not read is given up within twenty seconds, and holds nobody up meanwhile.",
			Run:       slowReading,
		},
		{
			ID: "server/limits/slow", Role: engine.Server, Level: engine.Policy, Severity: engine.High, Needs: good, Disruptive: true, Covers: []string{"RS-072"},
			Reference: "RFC 9110 section 15.5.9",
			Sentence:  "A request that does not come to its end is given up within twenty seconds, and holds nobody up meanwhile.",
			Run:       slowRequests,
		},
	}
}

// framing sends requests with a second one hidden in the body, where a reader finds it who takes the wrong length.
func framing(ctx context.Context, p *engine.Probe) error {
	trial, err := p.Trial(ctx)
	if err != nil {
		return err
	}
	for name, attempt := range map[string]struct {
		lines []string
		body  func(message, hidden string) string
		only  []int // statuses that conform; nil means any
		bare  bool  // every line of the head ends in a bare LF
	}{
		"Content-Length and Transfer-Encoding": {
			lines: []string{"Content-Length: 4", "Transfer-Encoding: chunked"},
			body: func(message, hidden string) string {
				return chunk(message+strings.Repeat(" ", 8)+"\r\n"+hidden) + "0\r\n\r\n"
			},
		},
		"Transfer-Encoding and Content-Length": {
			lines: []string{"Transfer-Encoding: chunked", "Content-Length: 4"},
			body: func(message, hidden string) string {
				return chunk(message+strings.Repeat(" ", 8)+"\r\n"+hidden) + "0\r\n\r\n"
			},
		},
		"Transfer-Encoding after a bare LF, and Content-Length": {
			lines: []string{"Content-Length: 4", "X-Pad: a\nTransfer-Encoding: chunked"},
			body: func(message, hidden string) string {
				return chunk(message+strings.Repeat(" ", 8)+"\r\n"+hidden) + "0\r\n\r\n"
			},
		},
		"lines that end in a bare LF": {
			bare: true, lines: []string{"Transfer-Encoding: chunked"}, only: append(engine.AnyRefusal(), http.StatusOK),
			body: func(message, hidden string) string { return chunk(message) + "0\r\n\r\n" },
		},
		"two Content-Lengths": {
			lines: []string{"Content-Length: 4", "Content-Length: 5"}, only: []int{http.StatusBadRequest},
			body: func(message, hidden string) string { return "    " + hidden },
		},
		"a blank before the colon": {
			lines: []string{"Transfer-Encoding : chunked"}, only: []int{http.StatusBadRequest},
			body: func(message, hidden string) string { return chunk(message) + "0\r\n\r\n" },
		},
		"a chunk extension that ends in a bare LF": {
			lines: []string{"Transfer-Encoding: chunked"}, only: engine.AnyRefusal(),
			body: func(message, hidden string) string {
				return fmt.Sprintf("%x;a\n%s\r\n0\r\n\r\n", len(message), message)
			},
		},
		"a chunk extension": {
			lines: []string{"Transfer-Encoding: chunked"}, only: []int{http.StatusOK},
			body: func(message, hidden string) string {
				return fmt.Sprintf("%x;a=b\r\n%s\r\n0\r\n\r\n", len(message), message)
			},
		},
		"a Transfer-Encoding that there is not": {
			lines: []string{"Transfer-Encoding: xchunked"}, only: []int{http.StatusBadRequest, http.StatusNotImplemented},
			body: func(message, hidden string) string { return chunk(message) + "0\r\n\r\n" },
		},
	} {
		request, hidden := trial.Request(), trial.Request()
		message := string(request.Body)
		inner := string(p.Wire(hidden, "Authorization: Bearer "+trial.Token))
		request.Body = []byte{}
		lines := append([]string{"Authorization: Bearer " + trial.Token, "Connection: keep-alive"}, attempt.lines...)
		head := p.Wire(request, lines...)
		if attempt.bare {
			head = bytes.ReplaceAll(head, []byte("\r\n"), []byte("\n"))
		}
		said, err := p.Raw(ctx, append(head, attempt.body(message, inner)...))
		switch {
		case err != nil:
			return err
		case trial.Ran(hidden):
			return p.Insecure("the hidden request not to run: "+name, describe(said)+", and it ran")
		case len(said.Answers) > 1:
			return p.Insecure("one answer to one request: "+name, describe(said))
		case len(said.Answers) == 0 && !said.Closed:
			return p.Mismatch("an answer, or the end of the connection: "+name, "silence")
		}
		for _, answer := range said.Answers {
			switch {
			case attempt.only == nil || slices.Contains(attempt.only, answer.Status):
			case answer.Status/100 == 2:
				return p.Insecure("a refusal: "+name, describe(said))
			case len(attempt.only) > 2:
				return p.Mismatch("a status 4xx: "+name, describe(said))
			default:
				return p.Mismatch(fmt.Sprintf("one of the statuses %v: %s", attempt.only, name), describe(said))
			}
		}
	}
	return nil
}

// trailers sends calls that have fields behind their bodies. A server that passes them on to another can make its own
// transport fail, and repeat the call; one that takes them for headers has judged a request that it does not run.
func trailers(ctx context.Context, p *engine.Probe) error {
	trial, err := p.Trial(ctx)
	if err != nil {
		return err
	}
	token := "Bearer " + trial.Token
	for _, field := range []struct{ name, value string }{
		{"X-Checksum", "1"}, {"Connection", "close"}, {"Authorization", token}, {"Te", "gzip"}, {"Keep-Alive", "1"},
		{"Upgrade", "h2c"},
	} {
		request, text := withTrailer(p, trial, field.name, field.value, "Authorization: "+token)
		said, err := p.Raw(ctx, text)
		if err != nil {
			return err
		}
		if runs := trial.Runs(request); runs > 1 {
			return p.Insecure("one run at most: trailer "+field.name,
				fmt.Sprintf("%s, and %d runs", describe(said), runs))
		}
	}
	request, text := withTrailer(p, trial, "Authorization", token)
	_, err = trial.DeniedRaw(ctx, "a token in a trailer field alone", request, text, engine.AnyRefusal()...)
	return err
}

// withTrailer is a call with a field behind its body.
func withTrailer(p *engine.Probe, trial *engine.Trial, name, value string, lines ...string) (engine.Request, []byte) {
	request := trial.Request()
	message := string(request.Body)
	head := request
	head.Body = []byte{}
	lines = append(lines, "Transfer-Encoding: chunked", "Trailer: "+name)
	return request, append(p.Wire(head, lines...), chunk(message)+"0\r\n"+name+": "+value+"\r\n\r\n"...)
}

func chunk(text string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(text), text) }

// bears wants a request answered, by whatever but a status 5xx, or the connection closed.
func bears(ctx context.Context, p *engine.Probe, name string, text []byte) error {
	said, err := p.Raw(ctx, text)
	switch {
	case err != nil:
		return err
	case len(said.Answers) == 0 && !said.Closed:
		return p.Mismatch("an answer, or the end of the connection: "+name, "silence")
	case len(said.Answers) > 0 && said.Answers[0].Status >= http.StatusInternalServerError && said.Answers[0].Status != http.StatusServiceUnavailable:
		return p.Mismatch("a refusal or the result: "+name, describe(said))
	}
	return nil
}

func longHeads(ctx context.Context, p *engine.Probe) error {
	trial, err := p.Trial(ctx)
	if err != nil {
		return err
	}
	long := map[string][]string{"ten thousand headers": nil}
	for _, size := range []int{8 << 10, 16 << 10, 64 << 10, 1 << 20, 8 << 20} {
		long[fmt.Sprintf("a token of %d KiB", size>>10)] = []string{"Authorization: Bearer " + strings.Repeat("a", size)}
	}
	for range 10_000 {
		long["ten thousand headers"] = append(long["ten thousand headers"], "X-Many: 1")
	}
	// What a parser might go through again and again.
	for name, text := range map[string]string{"Accept": "a/b;q=0.1,", "Forwarded": "for=a;by=b,", "Origin": "http://", "Cookie": "a=b; ", "Mcp-Name": "=?base64?", "Authorization": "Bearer a=\"\\\","} {
		long["a long "+name] = []string{name + ": " + strings.Repeat(text, 32<<10/len(text))}
	}
	long["a token of dots"] = []string{"Authorization: Bearer " + strings.Repeat(".", 32<<10)}
	for name, lines := range long {
		if err := bears(ctx, p, name, p.Wire(trial.Request(), lines...)); err != nil {
			return err
		}
	}
	return afterwards(ctx, p, trial)
}

// hugeBodies are more than a server should take.
func hugeBodies() map[string]string {
	const size = 4<<20 + 1
	return map[string]string{
		"4 MiB and one byte":     strings.Repeat(" ", size),
		"a string of 4 MiB":      `{"jsonrpc":"2.0","id":1,"method":"` + strings.Repeat("a", size) + `"}`,
		"ten thousand deep":      strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000),
		"objects, as deep":       strings.Repeat(`{"a":`, 10_000) + "1" + strings.Repeat("}", 10_000),
		"a batch of a million":   "[" + strings.Repeat("1,", 1_000_000) + "1]",
		"a number of a megabyte": `{"jsonrpc":"2.0","id":` + strings.Repeat("9", 1<<20) + `,"method":"ping"}`,
	}
}

func longBodies(ctx context.Context, p *engine.Probe) error {
	trial, err := p.Trial(ctx)
	if err != nil {
		return err
	}
	for name, body := range hugeBodies() {
		request := trial.Request()
		request.Body = []byte(body)
		if err := bears(ctx, p, name, p.Wire(request, "Authorization: Bearer "+trial.Token)); err != nil {
			return err
		}
		request.Body = []byte(chunk(body) + "0\r\n\r\n")
		if err := bears(ctx, p, name+", in a chunk", p.Wire(request, "Authorization: Bearer "+trial.Token, "Transfer-Encoding: chunked")); err != nil {
			return err
		}
	}
	if err := bomb(ctx, p, trial); err != nil {
		return err
	}
	request := trial.Request()
	if err := bears(ctx, p, "a compressed body", p.Wire(request, "Authorization: Bearer "+trial.Token, "Content-Encoding: gzip")); err != nil {
		return err
	}
	return afterwards(ctx, p, trial)
}

// afterwards wants the server alive.
func afterwards(ctx context.Context, p *engine.Probe, trial *engine.Trial) error {
	return served(ctx, p, trial, "afterwards")
}

// slowConnections is how many slow requests there are of each kind.
const slowConnections = 100

// slowRequests opens connections that stop in the middle of the head, and others that stop in the middle of the body.
func slowRequests(ctx context.Context, p *engine.Probe) error {
	trial, err := p.Trial(ctx)
	if err != nil {
		return err
	}
	whole := p.Wire(trial.Request(), "Authorization: Bearer "+trial.Token)
	head := strings.Index(string(whole), "\r\n\r\n")
	var open []net.Conn
	defer func() {
		for _, connection := range open {
			_ = connection.Close()
		}
	}()
	for i := range 2 * slowConnections {
		connection, err := p.Dial(ctx)
		if err != nil {
			return err
		}
		open = append(open, connection)
		part := whole[:head-4]
		if i%2 == 1 {
			part = whole[:head+8]
		}
		if _, err := connection.Write(part); err != nil {
			return &engine.CannotJudge{Reason: "a connection cannot be written to", Err: err}
		}
	}
	if err := afterwards(ctx, p, trial); err != nil {
		return err
	}
	deadline := time.Now().Add(p.Patience())
	for i, connection := range open {
		_ = connection.SetReadDeadline(deadline)
		var answer [1]byte
		// An answer or the end: the request was given up.
		if _, err := connection.Read(answer[:]); err != nil && !time.Now().Before(deadline) {
			return p.Mismatch("the end of a request that does not come to its end", fmt.Sprintf("a %s that is waited for %v later", []string{"head", "body"}[i%2], p.Patience()))
		}
	}
	return afterwards(ctx, p, trial)
}
