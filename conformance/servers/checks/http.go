package checks

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// httpChecks are checks of server/http.
func httpChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/http/framing",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "RFC 9112 sections 2.2, 5.1, 6.1, 6.3 and 7.1",
				Sentence: "A request whose length can be read in two ways is refused, or Transfer-Encoding alone " +
					"decides and the connection ends; it never gets two answers.",
				Covers: []string{"RS-073"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    framing,
		},
		{
			Rule: check.Rule{
				ID:        "server/http/trailers",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "RFC 9110 sections 6.5.1, 9.2.2 and 11.6.2",
				Sentence:  "A call with trailer fields runs at most once, and a token in one of them does not count.",
				Covers:    []string{"RS-073"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.CanaryTool},
			Run:    trailers,
		},
	}
}

// framing sends requests with a second one hidden in the body, where a reader finds it who takes
// the wrong length.
func framing(ctx context.Context, p *bench.Probe) error {
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
			bare:  true,
			lines: []string{"Transfer-Encoding: chunked"},
			only:  append(bench.AnyRefusal(), http.StatusOK),
			body:  func(message, hidden string) string { return chunk(message) + "0\r\n\r\n" },
		},
		"two Content-Lengths": {
			lines: []string{"Content-Length: 4", "Content-Length: 5"},
			only:  []int{http.StatusBadRequest},
			body:  func(message, hidden string) string { return "    " + hidden },
		},
		"a blank before the colon": {
			lines: []string{"Transfer-Encoding : chunked"},
			only:  []int{http.StatusBadRequest},
			body:  func(message, hidden string) string { return chunk(message) + "0\r\n\r\n" },
		},
		"a chunk extension that ends in a bare LF": {
			lines: []string{"Transfer-Encoding: chunked"},
			only:  bench.AnyRefusal(),
			body: func(message, hidden string) string {
				return fmt.Sprintf("%x;a\n%s\r\n0\r\n\r\n", len(message), message)
			},
		},
		"a chunk extension": {
			lines: []string{"Transfer-Encoding: chunked"},
			only:  []int{http.StatusOK},
			body: func(message, hidden string) string {
				return fmt.Sprintf("%x;a=b\r\n%s\r\n0\r\n\r\n", len(message), message)
			},
		},
		"a Transfer-Encoding that there is not": {
			lines: []string{"Transfer-Encoding: xchunked"},
			only:  []int{http.StatusBadRequest, http.StatusNotImplemented},
			body:  func(message, hidden string) string { return chunk(message) + "0\r\n\r\n" },
		},
	} {
		request := trial.Request()
		hidden := trial.Request()
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
			return p.Insecure("the hidden request not to run: "+name, attack.Describe(said)+", and it ran")
		case len(said.Answers) > 1:
			return p.Insecure("one answer to one request: "+name, attack.Describe(said))
		case len(said.Answers) == 0 && !said.Closed:
			return p.Mismatch("an answer, or the end of the connection: "+name, "silence")
		}
		for _, answer := range said.Answers {
			switch {
			case attempt.only == nil || slices.Contains(attempt.only, answer.Status):
			case answer.Status/100 == 2:
				return p.Insecure("a refusal: "+name, attack.Describe(said))
			case len(attempt.only) > 2:
				return p.Mismatch("a status 4xx: "+name, attack.Describe(said))
			default:
				return p.Mismatch(fmt.Sprintf("one of the statuses %v: %s", attempt.only, name), attack.Describe(said))
			}
		}
	}
	return nil
}

// trailers sends calls that have fields behind their bodies. A server that passes them on to
// another can make its own transport fail, and repeat the call; one that takes them for headers has
// judged a request that it does not run.
func trailers(ctx context.Context, p *bench.Probe) error {
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
				fmt.Sprintf("%s, and %d runs", attack.Describe(said), runs))
		}
	}
	request, text := withTrailer(p, trial, "Authorization", token)
	_, err = trial.DeniedRaw(ctx, "a token in a trailer field alone", request, text, bench.AnyRefusal()...)
	return err
}

// withTrailer is a call with a field behind its body.
func withTrailer(p *bench.Probe, trial *bench.Trial, name, value string, lines ...string) (bench.Request, []byte) {
	request := trial.Request()
	message := string(request.Body)
	head := request
	head.Body = []byte{}
	lines = append(lines, "Transfer-Encoding: chunked", "Trailer: "+name)
	return request, append(p.Wire(head, lines...), chunk(message)+"0\r\n"+name+": "+value+"\r\n\r\n"...)
}

func chunk(text string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(text), text) }
