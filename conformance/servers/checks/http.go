package checks

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/internal/inputs"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// httpChecks returns the checks of server/http.
func httpChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/http/framing",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "RFC 9112 sections 2.2, 5.1, 6.1, 6.3 and 7.1",
				Sentence: "A request with an ambiguous length is refused, or Transfer-Encoding alone " +
					"decides and the connection closes. It never gets two answers.",
				Covers: []string{"RS-073"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    attack.WithTrial(httpFraming),
		},
		{
			Rule: check.Rule{
				ID:        "server/http/trailers",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "RFC 9110 sections 6.5.1, 9.2.2 and 11.6.2",
				Sentence: "A call with trailer fields runs at most once, and a token in a trailer field " +
					"does not count.",
				Covers: []string{"RS-073"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.CanaryTool},
			Run:    attack.WithTrial(httpTrailers),
		},
	}
}

// httpFraming hides a second request in the body, where a parser with the wrong length finds it.
func httpFraming(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	return inputs.TryAll(framings(), func(attempt framing) error { return tryFraming(ctx, p, trial, attempt) })
}

func tryFraming(ctx context.Context, p *bench.Probe, trial *bench.Trial, attempt framing) error {
	request := trial.Request()
	hidden := trial.Request()
	body := attempt.body(string(request.Body), string(p.Wire(hidden, "Authorization: Bearer "+trial.Token)))
	request.Body = []byte{}
	lines := append([]string{"Authorization: Bearer " + trial.Token, "Connection: keep-alive"}, attempt.lines...)
	head := p.Wire(request, lines...)
	if attempt.bareLF {
		head = bytes.ReplaceAll(head, []byte("\r\n"), []byte("\n"))
	}
	conversation, err := p.Raw(ctx, append(head, body...))
	switch {
	case err != nil:
		return err
	case trial.Ran(hidden):
		return p.Insecure(
			"the hidden request not to run: "+attempt.name,
			attack.Describe(conversation)+", and it ran",
		)
	case len(conversation.Answers) > 1:
		return p.Insecure("one answer to one request: "+attempt.name, attack.Describe(conversation))
	case len(conversation.Answers) == 0 && !conversation.Closed:
		return p.MismatchAt(check.Policy, "an answer, or the end of the connection: "+attempt.name, "silence")
	case len(conversation.Answers) == 0:
		return nil
	}
	return inputs.Graded(attempt.judge(p, conversation), attempt.level, attempt.severity)
}

// judge compares the only answer with the conforming statuses.
func (f *framing) judge(p *bench.Probe, conversation *bench.Conversation) error {
	status := conversation.Answers[0].Status
	switch {
	case f.only == nil || slices.Contains(f.only, status):
		return nil
	case status/100 == 2:
		return p.Insecure("a refusal: "+f.name, attack.Describe(conversation))
	}
	return p.Mismatch(bench.Statuses(f.only)+": "+f.name, attack.Describe(conversation))
}

// httpTrailers sends calls with trailer fields. A proxy that forwards them can make its own
// transport fail and repeat the call. A server that merges them into the headers judges another
// request than the one it runs.
func httpTrailers(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	token := "Bearer " + trial.Token
	for _, field := range []struct{ name, value string }{
		{"X-Checksum", "1"},
		{"Connection", "close"},
		{"Authorization", token},
		{"Te", "gzip"},
		{"Keep-Alive", "1"},
		{"Upgrade", "h2c"},
	} {
		request, text := addTrailer(p, trial, field.name, field.value, "Authorization: "+token)
		conversation, err := p.Raw(ctx, text)
		if err != nil {
			return err
		}
		if runs := trial.Runs(request); runs > 1 {
			return p.Insecure("one run at most: trailer "+field.name,
				fmt.Sprintf("%s, and %d runs", attack.Describe(conversation), runs))
		}
	}
	request, text := addTrailer(p, trial, "Authorization", token)
	want := append([]int{http.StatusNotImplemented}, bench.AnyRefusal()...)
	_, err := trial.WantRefusedRaw(ctx, "a token in a trailer field alone", request, text, want...)
	return attack.WithoutEffect(err, check.Policy)
}

// addTrailer returns a call with a trailer field, and its text.
func addTrailer(p *bench.Probe, trial *bench.Trial, name, value string, lines ...string) (bench.Request, []byte) {
	request := trial.Request()
	message := string(request.Body)
	head := request
	head.Body = []byte{}
	lines = append(lines, "Transfer-Encoding: chunked", "Trailer: "+name)
	return request, append(p.Wire(head, lines...), attack.Chunk(message)+"0\r\n"+name+": "+value+"\r\n\r\n"...)
}

// A framing is one way to write a request whose length two parsers could read differently.
type framing struct {
	name   string
	lines  []string
	body   func(message, hidden string) string
	only   []int // the conforming statuses; nil means any
	bareLF bool  // every line of the head ends in LF without CR
	// level and severity of the rule for the statuses. Empty ones are the check's.
	level    check.Level
	severity check.Severity
}

// framings returns requests with ambiguous lengths, and two that a server has to understand.
func framings() []framing {
	inChunk := func(message, hidden string) string {
		return attack.Chunk(message+strings.Repeat(" ", 8)+"\r\n"+hidden) + "0\r\n\r\n"
	}
	plainChunk := func(message, _ string) string { return attack.Chunk(message) + "0\r\n\r\n" }
	chunkWith := func(extension string) func(message, _ string) string {
		return func(message, _ string) string {
			return fmt.Sprintf("%x%s%s\r\n0\r\n\r\n", len(message), extension, message)
		}
	}
	return []framing{
		{
			name:  "Content-Length and Transfer-Encoding",
			lines: []string{"Content-Length: 4", "Transfer-Encoding: chunked"},
			body:  inChunk,
		},
		{
			name:  "Transfer-Encoding and Content-Length",
			lines: []string{"Transfer-Encoding: chunked", "Content-Length: 4"},
			body:  inChunk,
		},
		{
			name:  "Transfer-Encoding after a bare LF, and Content-Length",
			lines: []string{"Content-Length: 4", "X-Pad: a\nTransfer-Encoding: chunked"},
			body:  inChunk,
		},
		{
			name:   "lines that end in a bare LF",
			lines:  []string{"Transfer-Encoding: chunked"},
			body:   plainChunk,
			only:   append(bench.AnyRefusal(), http.StatusOK),
			bareLF: true,
		},
		{
			name:  "two Content-Lengths",
			lines: []string{"Content-Length: 4", "Content-Length: 5"},
			body:  func(_, hidden string) string { return "    " + hidden },
			only:  []int{http.StatusBadRequest},
		},
		{
			name:  "a blank before the colon",
			lines: []string{"Transfer-Encoding : chunked"},
			body:  plainChunk,
			only:  []int{http.StatusBadRequest},
		},
		{
			// A recipient may recover from it (RFC 9110 section 2.4). Two parsers then differ.
			name:     "a chunk extension that ends in a bare LF",
			lines:    []string{"Transfer-Encoding: chunked"},
			body:     chunkWith(";a\n"),
			only:     bench.AnyRefusal(),
			level:    check.Policy,
			severity: check.Medium,
		},
		{
			name:  "a chunk extension",
			lines: []string{"Transfer-Encoding: chunked"},
			body:  chunkWith(";a=b\r\n"),
			only:  append(bench.AnyRefusal(), http.StatusOK, http.StatusNotImplemented),
		},
		{
			name:  "an unknown Transfer-Encoding",
			lines: []string{"Transfer-Encoding: xchunked"},
			body:  plainChunk,
			only:  []int{http.StatusBadRequest, http.StatusNotImplemented},
			level: check.Should,
		},
	}
}
