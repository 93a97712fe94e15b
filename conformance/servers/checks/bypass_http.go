package checks

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"net/http"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/internal/inputs"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
	"mcpentra/conformance/servers/internal/vocabulary"
)

// bypassHTTPChecks returns the checks of server/bypass about other forms of an HTTP request.
func bypassHTTPChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/bypass/requests",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "MCP authorization, Access Token Usage; RFC 9110 sections 9 and 8.3",
				Sentence:  "No method, media type, coding or Accept header makes a token unnecessary.",
				Covers:    []string{"RS-001"},
			},
			Run: attack.WithAnyTrial(bypassRequests),
		},
		{
			Rule: check.Rule{
				ID:        "server/bypass/protocols",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "MCP authorization, Access Token Usage; RFC 9112 sections 2.3 and 3.2",
				Sentence:  "No version of HTTP and no form of the request line makes a token unnecessary.",
				Covers:    []string{"RS-001", "RS-012"},
			},
			Run: attack.WithAnyTrial(bypassProtocols),
		},
	}
}

// bypassRequests tries server/bypass/requests.
func bypassRequests(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	bases, err := attack.Bases(ctx, p, trial)
	if err != nil {
		return err
	}
	var claims []attack.Claim
	for _, method := range vocabulary.Names(vocabulary.HTTPMethod) {
		claims = append(claims, attack.Claim{
			Name: "the method " + method,
			Slot: "method",
			Add:  func(request *bench.Request, _ string) { request.Method = method },
		})
	}
	for _, header := range []struct {
		name string
		list vocabulary.List
	}{
		{"Content-Type", vocabulary.MediaType},
		{"Accept", vocabulary.Accept},
		{"Content-Encoding", vocabulary.ContentCoding},
	} {
		for _, value := range vocabulary.Names(header.list) {
			claims = append(claims, attack.HeaderClaim(header.name, value))
		}
		claims = append(claims, attack.HeaderClaim(header.name, ""))
	}
	claims = append(claims,
		attack.Claim{Name: "a body in gzip", Slot: "body", Add: compress},
		attack.Claim{
			Name: "a body in chunks",
			Slot: "chunks",
			Add:  func(request *bench.Request, _ string) { request.Unsized = true },
		},
	)
	stream, err := p.Send(ctx, attack.StreamRequest(trial.Session, ""))
	if err != nil {
		return err
	}
	if stream.Status != http.StatusOK { // another check reports an open stream
		claims = append(claims, attack.Claim{Name: "the message in the query", Slot: "body", Add: moveToQuery})
	}
	sweep := attack.Sweep{
		Claims:   claims,
		Bases:    bases[:min(2, len(bases))],
		Reported: []string{"the method GET"},
	}
	return sweep.Run(ctx, p, trial)
}

// compress compresses the body of a request.
func compress(request *bench.Request, _ string) {
	if request.Body == nil {
		return
	}
	var body bytes.Buffer
	writer := gzip.NewWriter(&body)
	_, _ = writer.Write(request.Body) // to memory
	_ = writer.Close()
	request.Body = body.Bytes()
	request.Header.Set("Content-Encoding", "gzip")
}

// moveToQuery makes a GET with the message in the query.
func moveToQuery(request *bench.Request, _ string) {
	for _, name := range []string{"message", "body", "request", "payload", "data", "jsonrpc"} {
		addQuery(request, name, string(request.Body))
	}
	request.Method = http.MethodGet
	request.Body = nil
}

// bypassProtocols sends the request of the trial without a token in forms that no HTTP client
// sends.
func bypassProtocols(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	if _, err := attack.Bases(ctx, p, trial); err != nil {
		return err
	}
	host := strings.TrimPrefix(strings.TrimPrefix(p.URL(), "https://"), "http://")
	host, _, _ = strings.Cut(host, "/")
	scheme, _, _ := strings.Cut(p.URL(), "://")
	origins := strings.NewReplacer("{origin}", scheme+"://"+host, "{user}", scheme+"://x@"+host)
	tries := []func() error{func() error { return bypassHTTP2(ctx, p, trial) }}
	for _, form := range requestForms() {
		tries = append(tries, func() error {
			request := trial.Request()
			text := bytes.Replace(p.Wire(request), []byte(form.before), []byte(origins.Replace(form.after)), 1)
			conversation, err := p.Raw(ctx, text)
			if err != nil {
				return err
			}
			return wantNoEffect(p, trial, form.name, request, conversation.Answers)
		})
	}
	return inputs.TryAll(tries, func(try func() error) error { return try() })
}

// bypassHTTP2 sends the request over HTTP/2, if the server speaks it.
func bypassHTTP2(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	over, closeIt, err := p.HTTP2(ctx)
	if err != nil {
		return ctx.Err()
	}
	defer closeIt()
	request := trial.Request()
	answer, err := over.Send(ctx, request)
	if err != nil {
		return ctx.Err()
	}
	return wantNoEffect(over, trial, "HTTP/2", request, []*bench.Answer{answer})
}

// A requestForm replaces a part of an HTTP/1.1 request.
type requestForm struct{ name, before, after string }

// requestForms returns forms of a request that no HTTP client sends.
func requestForms() []requestForm {
	const (
		version = " HTTP/1.1\r\n"
		host    = "\r\nHost: "
		ending  = "\r\nConnection: close\r\n"
	)
	return []requestForm{
		{"HTTP/1.0", version, " HTTP/1.0\r\n"},
		{"HTTP/1.2", version, " HTTP/1.2\r\n"},
		{"no Host", host, "\r\nX-No-Host: "},
		{"HTTP/1.0 without Host", version[:len(version)-2] + host, " HTTP/1.0\r\nX-No-Host: "},
		{"an empty Host", host, "\r\nHost:\r\nX-Host: "},
		{"Host: localhost", host, "\r\nHost: localhost\r\nX-Host: "},
		{
			name:   "an upgrade to h2c",
			before: ending,
			after: "\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n" +
				"HTTP2-Settings: AAMAAABkAAQAAP__\r\n",
		},
		{"an upgrade to WebSocket", ending, "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"},
		{
			name:   "a hop-by-hop Authorization",
			before: ending,
			after:  "\r\nConnection: close, Authorization\r\nAuthorization: Bearer x\r\n",
		},
		{"hop-by-hop addresses", ending, "\r\nConnection: close, X-Forwarded-For, X-Real-IP\r\n"},
		{"an absolute request target", "POST /", "POST {origin}/"},
		{"an absolute request target with a user", "POST /", "POST {user}/"},
		{"a backslash in the request target", "POST /", `POST \`},
		{"a backslash behind the slash", "POST /", `POST /\`},
		{"a request target without a slash", "POST /", "POST "},
		{"a fragment in the request target", version, "#x HTTP/1.1\r\n"},
		{"a health check in the fragment", version, "#/health HTTP/1.1\r\n"},
		{"a lower-case method", "POST /", "post /"},
		{"two blanks before the target", "POST /", "POST  /"},
		{"a line before the request", "POST /", "\r\nPOST /"},
	}
}

// wantNoEffect wants no answer of a request to carry a result.
func wantNoEffect(
	p *bench.Probe, trial *bench.Trial, name string, request bench.Request, answers []*bench.Answer,
) error {
	for _, answer := range answers {
		if answer.Succeeded() {
			return p.Insecure("no result: "+name, "the result of the request")
		}
	}
	if trial.Ran(request) {
		return p.Insecure("the tool not to run: "+name, fmt.Sprintf("%d answers, and the tool ran", len(answers)))
	}
	return nil
}
