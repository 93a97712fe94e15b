package checks

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// limitsChecks are checks of server/limits: that one request is one request, and that nobody can
// hold the server up (RFC 9112, RFC 9110).
func limitsChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:         "server/limits/head",
				Level:      check.Must,
				Severity:   check.Medium,
				Disruptive: true,
				Reference:  "RFC 6585 section 5; RFC 9110 section 5.4",
				Sentence:   "Long headers, long tokens and many headers are refused or borne, and the server goes on.",
				Covers:     []string{"RS-070"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    longHeads,
		},
		{
			Rule: check.Rule{
				ID:         "server/limits/body",
				Level:      check.Must,
				Severity:   check.High,
				Disruptive: true,
				Reference:  "RFC 9110 section 15.5.14",
				Sentence:   "Long, deep and compressed bodies are refused or borne, and the server goes on.",
				Covers:     []string{"RS-071"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    longBodies,
		},
		{
			Rule: check.Rule{
				ID:         "server/limits/bad-signatures",
				Level:      check.Policy,
				Severity:   check.Medium,
				Disruptive: true,
				Reference:  "OWASP API Security Top 10 2023, API4",
				Sentence:   "While many tokens with bad signatures come, and after them, good tokens are served.",
				Covers:     []string{"RS-074"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    attack.BadSignatures,
		},
		{
			Rule: check.Rule{
				ID:         "server/limits/linear",
				Level:      check.Policy,
				Severity:   check.Medium,
				Disruptive: true,
				Reference:  "OWASP API Security Top 10 2023, API4",
				Sentence: "A text that a parser could go through again and again takes no longer than a harmless " +
					"one of its length.",
				Covers: []string{"RS-077"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    attack.Linear,
		},
		{
			Rule: check.Rule{
				ID:         "server/limits/slow-reading",
				Level:      check.Policy,
				Severity:   check.High,
				Disruptive: true,
				Reference:  "OWASP API Security Top 10 2023, API4",
				Sentence: "An answer that its caller does not read is given up within twenty seconds, and holds " +
					"nobody up meanwhile.",
				Covers: []string{"RS-072"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    attack.SlowReading,
		},
		{
			Rule: check.Rule{
				ID:         "server/limits/slow",
				Level:      check.Policy,
				Severity:   check.High,
				Disruptive: true,
				Reference:  "RFC 9110 section 15.5.9",
				Sentence: "A request that does not come to its end is given up within twenty seconds, and holds " +
					"nobody up meanwhile.",
				Covers: []string{"RS-072"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    slowRequests,
		},
	}
}

func longHeads(ctx context.Context, p *bench.Probe) error {
	trial, err := p.Trial(ctx)
	if err != nil {
		return err
	}
	long := map[string][]string{"ten thousand headers": nil}
	for _, size := range []int{8 << 10, 16 << 10, 64 << 10, 1 << 20, 8 << 20} {
		long[fmt.Sprintf(
			"a token of %d KiB",
			size>>10,
		)] = []string{"Authorization: Bearer " + strings.Repeat("a", size)}
	}
	for range 10_000 {
		long["ten thousand headers"] = append(long["ten thousand headers"], "X-Many: 1")
	}
	// What a parser might go through again and again.
	for name, text := range map[string]string{
		"Accept":        "a/b;q=0.1,",
		"Forwarded":     "for=a;by=b,",
		"Origin":        "http://",
		"Cookie":        "a=b; ",
		"Mcp-Name":      "=?base64?",
		"Authorization": "Bearer a=\"\\\",",
	} {
		long["a long "+name] = []string{name + ": " + strings.Repeat(text, 32<<10/len(text))}
	}
	long["a token of dots"] = []string{"Authorization: Bearer " + strings.Repeat(".", 32<<10)}
	for name, lines := range long {
		if err := attack.Bears(ctx, p, name, p.Wire(trial.Request(), lines...)); err != nil {
			return err
		}
	}
	return attack.Afterwards(ctx, p, trial)
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

func longBodies(ctx context.Context, p *bench.Probe) error {
	trial, err := p.Trial(ctx)
	if err != nil {
		return err
	}
	for name, body := range hugeBodies() {
		request := trial.Request()
		request.Body = []byte(body)
		if err := attack.Bears(ctx, p, name, p.Wire(request, "Authorization: Bearer "+trial.Token)); err != nil {
			return err
		}
		request.Body = []byte(chunk(body) + "0\r\n\r\n")
		if err := attack.Bears(
			ctx,
			p,
			name+", in a chunk",
			p.Wire(request, "Authorization: Bearer "+trial.Token, "Transfer-Encoding: chunked"),
		); err != nil {
			return err
		}
	}
	if err := attack.Bomb(ctx, p, trial); err != nil {
		return err
	}
	request := trial.Request()
	if err := attack.Bears(
		ctx,
		p,
		"a compressed body",
		p.Wire(request, "Authorization: Bearer "+trial.Token, "Content-Encoding: gzip"),
	); err != nil {
		return err
	}
	return attack.Afterwards(ctx, p, trial)
}

// slowConnections is how many slow requests there are of each kind.
const slowConnections = 100

// slowRequests opens connections that stop in the middle of the head, and others that stop in the
// middle of the body.
func slowRequests(ctx context.Context, p *bench.Probe) error {
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
			return &check.CannotJudge{Reason: "a connection cannot be written to", Err: err}
		}
	}
	if err := attack.Afterwards(ctx, p, trial); err != nil {
		return err
	}
	deadline := time.Now().Add(p.Patience())
	for i, connection := range open {
		_ = connection.SetReadDeadline(deadline)
		var answer [1]byte
		// An answer or the end: the request was given up.
		if _, err := connection.Read(answer[:]); err != nil && !time.Now().Before(deadline) {
			return p.Mismatch(
				"the end of a request that does not come to its end",
				fmt.Sprintf("a %s that is waited for %v later", []string{"head", "body"}[i%2], p.Patience()),
			)
		}
	}
	return attack.Afterwards(ctx, p, trial)
}
