package checks

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"mcpentra/conformance/engine"
)

// origin: which web pages may call a server, and under which names (MCP transports, Security Warning).
func origin() []engine.Check {
	good := []engine.TokenKind{engine.Good}
	return []engine.Check{
		{
			ID: "server/origin/foreign", Role: engine.Server, Level: engine.Must, Severity: engine.High, Revisions: []engine.Revision{engine.R20251125, engine.R20260728}, Needs: good,
			Covers:    []string{"RS-090", "server-origin-403", "server-origin-validated"},
			Reference: "MCP 2025-11-25 transports, Security Warning",
			Sentence:  "A request of a page of a foreign origin is refused with 403, even with a good token.",
			Run:       foreignOrigins([]int{http.StatusForbidden}),
		},
		{
			ID: "server/origin/checked", Role: engine.Server, Level: engine.Must, Severity: engine.High, Revisions: []engine.Revision{engine.R20250326, engine.R20250618},
			EachRevision: true, Needs: good, Covers: []string{"RS-090", "server-origin-validated"},
			Reference: "MCP 2025-03-26 transports, Security Warning",
			Sentence:  "A request of a page of a foreign origin is refused, even with a good token.",
			Run:       foreignOrigins(engine.AnyRefusal()),
		},
		{
			ID: "server/host/case", Role: engine.Server, Level: engine.Should, Needs: good, Covers: []string{"server-accept-uppercase-host"},
			Reference: "MCP authorization, Canonical Server URI; RFC 3986 section 3.2.2",
			Sentence:  "A server answers to its name in upper case.",
			Run:       namedInCapitals,
		},
		{
			ID: "server/host/foreign", Role: engine.Server, Level: engine.Should, Severity: engine.High, Needs: good, Covers: []string{"RS-091", "RS-073"},
			Reference: "MCP transports, Security Warning; RFC 9110 section 7.4; RFC 9112 section 3.2.2",
			Sentence:  "A server on loopback does not answer under a name that is not its own: that is how DNS rebinding looks.",
			Run: func(ctx context.Context, p *engine.Probe) error {
				endpoint, err := url.Parse(p.URL())
				if err != nil || !onLoopback(endpoint) {
					return &engine.NotApplicable{Reason: "the server is not on loopback"}
				}
				var vectors []vector
				for _, host := range []string{"evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "[::1]:x", "2130706433", "0.0.0.0", "evil.example:" + endpoint.Port()} {
					vectors = append(vectors, vector{
						name: "Host: " + host,
						change: func(r *engine.Request, good string) {
							r.Host = host
							r.Header.Set("Authorization", "Bearer "+good)
						},
						lines: func(string) []string { return nil },
					})
				}
				trial, err := p.Trial(ctx)
				if err != nil {
					return err
				}
				if err := deny(ctx, p, trial, engine.AnyRefusal(), vectors...); err != nil {
					return err
				}
				return foreignURI(ctx, p, trial)
			},
		},
	}
}

// foreignURI has a foreign name in the request line, where it counts more than the right one in Host.
func foreignURI(ctx context.Context, p *engine.Probe, trial *engine.Trial) error {
	request := trial.Request()
	text := p.Wire(request, "Authorization: Bearer "+trial.Token)
	text = bytes.Replace(text, []byte("POST /"), []byte("POST http://evil.example/"), 1)
	_, err := trial.DeniedRaw(ctx, "http://evil.example in the request line", request, text, engine.AnyRefusal()...)
	return err
}

// foreignOrigins tries pages that have no business here, by every method of the endpoint.
func foreignOrigins(want []int) func(ctx context.Context, p *engine.Probe) error {
	var vectors []vector
	for _, foreign := range []string{"https://evil.example", "null", "file://", "http://localhost.evil.example", "http://127.0.0.1:1"} {
		from := func(r *engine.Request, good string) {
			r.Header.Set("Authorization", "Bearer "+good)
			r.Header.Set("Origin", foreign)
		}
		vectors = append(vectors, vector{name: "Origin: " + foreign, change: from})
	}
	for _, method := range []string{http.MethodGet, http.MethodDelete} {
		vectors = append(vectors, vector{name: method + " with Origin: https://evil.example", want: append([]int{http.StatusMethodNotAllowed}, want...), change: func(r *engine.Request, good string) {
			r.Method, r.Body = method, nil
			r.Header.Set("Authorization", "Bearer "+good)
			r.Header.Set("Origin", "https://evil.example")
		}})
	}
	vectors = append(vectors,
		vector{name: "no token, and Origin: https://evil.example", want: append([]int{http.StatusUnauthorized}, want...), change: header("Origin", "https://evil.example")},
		vector{name: "two Origins", want: append([]int{http.StatusBadRequest}, want...), lines: func(good string) []string {
			return []string{"Authorization: Bearer " + good, "Origin: https://evil.example", "Origin: null"}
		}},
	)
	return denied(want, vectors...)
}

// namedInCapitals asks for the server by its name, or where it has none by that of the machine.
func namedInCapitals(ctx context.Context, p *engine.Probe) error {
	endpoint, err := url.Parse(p.URL())
	if err != nil {
		return &engine.CannotJudge{Reason: "the endpoint's URL", Err: err}
	}
	token, err := p.Control(ctx)
	if err != nil {
		return err
	}
	host := endpoint.Host
	if strings.ToUpper(host) == host {
		host = withPort("localhost", endpoint.Port())
		answer, err := p.Send(ctx, engine.Request{Header: engine.Bearer(token), Host: host})
		if err != nil {
			return err
		}
		if !onLoopback(endpoint) || !answer.Succeeded() {
			return &engine.NotApplicable{Reason: "the server has an address and no name"}
		}
	}
	answer, err := p.Send(ctx, engine.Request{Header: engine.Bearer(token), Host: strings.ToUpper(host)})
	if err == nil && !answer.Succeeded() {
		return p.Mismatch("the result for Host: "+strings.ToUpper(host), fmt.Sprintf("status %d", answer.Status))
	}
	return err
}
