package checks

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// limitsChecks returns the checks of server/limits: no request can keep the server from serving
// others (RFC 9112, RFC 9110).
func limitsChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:         "server/limits/head",
				Level:      check.Must,
				Severity:   check.Medium,
				Disruptive: true,
				Reference:  "RFC 6585 section 5; RFC 9110 section 5.4",
				Sentence:   "The server refuses or survives long headers, long tokens and many headers.",
				Covers:     []string{"RS-070"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    attack.WithTrial(limitsHead),
		},
		{
			Rule: check.Rule{
				ID:         "server/limits/body",
				Level:      check.Policy,
				Severity:   check.High,
				Disruptive: true,
				Reference:  "RFC 9110 section 15.5.14",
				Sentence:   "The server refuses or survives long, deeply nested and compressed bodies.",
				Covers:     []string{"RS-071"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    attack.WithTrial(limitsBody),
		},
		{
			Rule: check.Rule{
				ID:         "server/limits/bad-signatures",
				Level:      check.Policy,
				Severity:   check.Medium,
				Disruptive: true,
				Reference:  "OWASP API Security Top 10 2023, API4",
				Sentence:   "Good tokens are served during and after a flood of tokens with bad signatures.",
				Covers:     []string{"RS-074"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    attack.WithTrial(attack.BadSignatures),
		},
		{
			Rule: check.Rule{
				ID:         "server/limits/linear",
				Level:      check.Policy,
				Severity:   check.Medium,
				Disruptive: true,
				Reference:  "OWASP API Security Top 10 2023, API4",
				Sentence: "Text that slows a bad parser down takes no longer than harmless text of the same " +
					"length, or its time grows only as fast as its length.",
				Covers: []string{"RS-077"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    attack.WithTrial(attack.Linear),
		},
		{
			Rule: check.Rule{
				ID:         "server/limits/slow-reading",
				Level:      check.Policy,
				Severity:   check.High,
				Disruptive: true,
				Reference:  "OWASP API Security Top 10 2023, API4",
				Sentence: "Within twenty seconds the server abandons an answer that its caller does not " +
					"read, and serves others meanwhile.",
				Covers: []string{"RS-072"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    attack.WithTrial(attack.SlowReading),
			Time:   attack.SlowReadingTime,
		},
		{
			Rule: check.Rule{
				ID:         "server/limits/slow",
				Level:      check.Policy,
				Severity:   check.High,
				Disruptive: true,
				Reference:  "RFC 9110 section 15.5.9",
				Sentence: "Within twenty seconds the server abandons a request that does not arrive " +
					"completely, and serves others meanwhile.",
				Covers: []string{"RS-072"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    attack.WithTrial(limitsSlow),
		},
	}
}

// limitsHead sends tokens of many sizes, many headers, and values that are long.
func limitsHead(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	for _, head := range longHeads() {
		if err := attack.Survives(ctx, p, head.name, p.Wire(trial.Request(), head.lines...)); err != nil {
			return err
		}
	}
	return attack.StillServes(ctx, p, trial)
}

type longHead struct {
	name  string
	lines []string
}

// longHeads returns lines for the head of a request. Some repeat text that a bad parser scans again
// and again.
func longHeads() []longHead {
	const size = 32 << 10
	heads := []longHead{
		{"ten thousand headers", slices.Repeat([]string{"X-Many: 1"}, 10_000)},
		{"a token of dots", []string{"Authorization: Bearer " + strings.Repeat(".", size)}},
	}
	for _, kilobytes := range []int{8, 16, 64, 1 << 10, 8 << 10} {
		name := fmt.Sprintf("a token of %d KiB", kilobytes)
		line := "Authorization: Bearer " + strings.Repeat("a", kilobytes<<10)
		heads = append(heads, longHead{name, []string{line}})
	}
	for _, header := range []struct{ name, text string }{
		{"Accept", "a/b;q=0.1,"},
		{"Forwarded", "for=a;by=b,"},
		{"Origin", "http://"},
		{"Cookie", "a=b; "},
		{"Mcp-Name", "=?base64?"},
		{"Authorization", "Bearer a=\"\\\","},
	} {
		line := header.name + ": " + strings.Repeat(header.text, size/len(header.text))
		heads = append(heads, longHead{"a long " + header.name, []string{line}})
	}
	return heads
}

// limitsBody sends long bodies with a Content-Length and in a chunk, and compressed ones.
func limitsBody(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	token := "Authorization: Bearer " + trial.Token
	for _, body := range attack.HugeBodies() {
		request := trial.Request()
		request.Body = []byte(body.Text)
		if err := attack.Survives(ctx, p, body.Name, p.Wire(request, token)); err != nil {
			return err
		}
		request.Body = []byte(attack.Chunk(body.Text) + "0\r\n\r\n")
		chunked := p.Wire(request, token, "Transfer-Encoding: chunked")
		if err := attack.Survives(ctx, p, body.Name+", in a chunk", chunked); err != nil {
			return err
		}
	}
	if err := attack.SendGzipBomb(ctx, p, trial); err != nil {
		return err
	}
	notCompressed := p.Wire(trial.Request(), token, "Content-Encoding: gzip")
	if err := attack.Survives(ctx, p, "a compressed body", notCompressed); err != nil {
		return err
	}
	return attack.StillServes(ctx, p, trial)
}

// limitsSlow opens connections that stop in the middle of the head, and as many that stop in the
// middle of the body.
func limitsSlow(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	whole := p.Wire(trial.Request(), "Authorization: Bearer "+trial.Token)
	head := strings.Index(string(whole), "\r\n\r\n")
	parts := []struct {
		name string
		text []byte
	}{
		{"head", whole[:head-4]},
		{"body", whole[:head+8]},
	}
	var open []net.Conn
	defer func() {
		for _, connection := range open {
			_ = connection.Close()
		}
	}()
	for i := range len(parts) * slowConnections {
		connection, err := p.Dial(ctx)
		if err != nil {
			return err
		}
		open = append(open, connection)
		if _, err := connection.Write(parts[i%len(parts)].text); err != nil {
			return &check.CannotJudge{Reason: "writing to a connection failed", Err: err}
		}
	}
	if err := attack.StillServes(ctx, p, trial); err != nil {
		return err
	}
	deadline := time.Now().Add(p.Patience())
	for i, connection := range open {
		_ = connection.SetReadDeadline(deadline)
		var answer [1]byte
		// An answer or the end of the connection shows that the server has given the request up.
		if _, err := connection.Read(answer[:]); err != nil && !time.Now().Before(deadline) {
			return p.Mismatch(
				"the end of a request that does not arrive completely",
				fmt.Sprintf("a server that waits for the %s %v later", parts[i%len(parts)].name, p.Patience()),
			)
		}
	}
	return attack.StillServes(ctx, p, trial)
}

// slowConnections is how many slow requests of each kind are sent.
const slowConnections = 100
