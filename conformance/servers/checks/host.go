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

// hostChecks returns the checks of server/host: the host names under which a server answers (MCP
// transports, Security Warning).
func hostChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/host/case",
				Level:     check.Should,
				Reference: "MCP authorization, Canonical Server URI; RFC 3986 section 3.2.2",
				Sentence:  "A server accepts its host name in upper case.",
				Covers:    []string{"server-accept-uppercase-host"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    hostCase,
		},
		{
			Rule: check.Rule{
				ID:        "server/host/foreign",
				Level:     check.Should,
				Severity:  check.High,
				Reference: "MCP transports, Security Warning; RFC 9110 section 7.4; RFC 9112 section 3.2.2",
				Sentence: "A server on loopback refuses requests under other host names, as DNS rebinding " +
					"sends them. Other addresses of the same machine are no other names.",
				Covers: []string{"RS-091", "RS-073"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    hostForeign,
		},
	}
}

// hostCase sends the server's host name in upper case. A server with an IP address on loopback is
// also called localhost.
func hostCase(ctx context.Context, p *bench.Probe) error {
	endpoint, err := url.Parse(p.URL())
	if err != nil {
		return &check.CannotJudge{Reason: "the endpoint's URL is malformed", Err: err}
	}
	token, err := p.Control(ctx)
	if err != nil {
		return err
	}
	host := endpoint.Host
	if strings.ToUpper(host) == host {
		host = attack.WithPort("localhost", endpoint.Port())
		answer, err := p.Send(ctx, bench.Request{Header: bench.Bearer(token), Host: host})
		if err != nil {
			return err
		}
		if !attack.IsLoopback(endpoint) || !answer.Succeeded() {
			return &check.NotApplicable{Reason: "the server has an IP address and no name"}
		}
	}
	upper := strings.ToUpper(host)
	answer, err := p.Send(ctx, bench.Request{Header: bench.Bearer(token), Host: upper})
	if err == nil && !answer.Succeeded() {
		return p.Mismatch("the result for Host: "+upper, fmt.Sprintf("status %d", answer.Status))
	}
	return err
}

// hostForeign sends a good token under host names that are not the server's.
func hostForeign(ctx context.Context, p *bench.Probe) error {
	endpoint, err := url.Parse(p.URL())
	if err != nil || !attack.IsLoopback(endpoint) {
		return &check.NotApplicable{Reason: "the server is not on loopback"}
	}
	trial, err := p.Trial(ctx)
	if err != nil {
		return err
	}
	vectors := foreignHostVectors(endpoint.Port())
	if err := attack.TryVectors(ctx, p, trial, bench.AnyRefusal(), vectors...); err != nil {
		return err
	}
	return foreignRequestLine(ctx, p, trial)
}

func foreignHostVectors(port string) []attack.Vector {
	var vectors []attack.Vector
	for _, host := range []string{
		"evil.example",
		"localhost.evil.example",
		"127.0.0.1.evil.example",
		"[::1]:x",
		"evil.example:" + port,
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
	return vectors
}

// foreignRequestLine puts a foreign host into the request line, where it overrides a good Host.
func foreignRequestLine(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	request := trial.Request()
	text := p.Wire(request, "Authorization: Bearer "+trial.Token)
	text = bytes.Replace(text, []byte("POST /"), []byte("POST http://evil.example/"), 1)
	name := "http://evil.example in the request line"
	_, err := trial.WantRefusedRaw(ctx, name, request, text, bench.AnyRefusal()...)
	return err
}
