package checks

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// hostChecks are checks of server/host: which web pages may call a server, and under which names
// (MCP transports, Security Warning).
func hostChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/host/case",
				Level:     check.Should,
				Reference: "MCP authorization, Canonical Server URI; RFC 3986 section 3.2.2",
				Sentence:  "A server answers to its name in upper case.",
				Covers:    []string{"server-accept-uppercase-host"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    namedInCapitals,
		},
		{
			Rule: check.Rule{
				ID:        "server/host/foreign",
				Level:     check.Should,
				Severity:  check.High,
				Reference: "MCP transports, Security Warning; RFC 9110 section 7.4; RFC 9112 section 3.2.2",
				Sentence: "A server on loopback does not answer under a name that is not its own: that is how DNS " +
					"rebinding looks.",
				Covers: []string{"RS-091", "RS-073"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    hostForeign,
		},
	}
}

// hostForeign tries server/host/foreign.
func hostForeign(ctx context.Context, p *bench.Probe) error {
	endpoint, err := url.Parse(p.URL())
	if err != nil || !onLoopback(endpoint) {
		return &check.NotApplicable{Reason: "the server is not on loopback"}
	}
	var vectors []attack.Vector
	for _, host := range []string{
		"evil.example",
		"localhost.evil.example",
		"127.0.0.1.evil.example",
		"[::1]:x",
		"2130706433",
		"0.0.0.0",
		"evil.example:" + endpoint.Port(),
	} {
		vectors = append(vectors, attack.Vector{
			Name: "Host: " + host,
			Change: func(r *bench.Request, good string) {
				r.Host = host
				r.Header.Set("Authorization", "Bearer "+good)
			},
			Lines: func(string) []string { return nil },
		})
	}
	trial, err := p.Trial(ctx)
	if err != nil {
		return err
	}
	if err := attack.Deny(ctx, p, trial, bench.AnyRefusal(), vectors...); err != nil {
		return err
	}
	return foreignURI(ctx, p, trial)
}

// foreignURI has a foreign name in the request line, where it counts more than the right one in
// Host.
func foreignURI(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	request := trial.Request()
	text := p.Wire(request, "Authorization: Bearer "+trial.Token)
	text = bytes.Replace(text, []byte("POST /"), []byte("POST http://evil.example/"), 1)
	_, err := trial.DeniedRaw(ctx, "http://evil.example in the request line", request, text, bench.AnyRefusal()...)
	return err
}

// namedInCapitals asks for the server by its name, or where it has none by that of the machine.
func namedInCapitals(ctx context.Context, p *bench.Probe) error {
	endpoint, err := url.Parse(p.URL())
	if err != nil {
		return &check.CannotJudge{Reason: "the endpoint's URL", Err: err}
	}
	token, err := p.Control(ctx)
	if err != nil {
		return err
	}
	host := endpoint.Host
	if strings.ToUpper(host) == host {
		host = withPort("localhost", endpoint.Port())
		answer, err := p.Send(ctx, bench.Request{Header: bench.Bearer(token), Host: host})
		if err != nil {
			return err
		}
		if !onLoopback(endpoint) || !answer.Succeeded() {
			return &check.NotApplicable{Reason: "the server has an address and no name"}
		}
	}
	answer, err := p.Send(ctx, bench.Request{Header: bench.Bearer(token), Host: strings.ToUpper(host)})
	if err == nil && !answer.Succeeded() {
		return p.Mismatch("the result for Host: "+strings.ToUpper(host), fmt.Sprintf("status %d", answer.Status))
	}
	return err
}
