package checks

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// originLookalikeChecks returns the checks of server/origin about origins that resemble an allowed
// one.
func originLookalikeChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/origin/lookalikes",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "MCP transports, Security Warning; RFC 6454 section 4",
				Sentence: "An origin that begins or ends like an allowed one, contains it or has another " +
					"character for a dot is foreign, and is refused.",
				Covers: []string{"RS-090", "server-origin-validated"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    attack.WithTrial(originLookalikes),
		},
	}
}

// originLookalikes sends a good token from pages of origins that resemble allowed ones. It does not
// need to know which origins the server allows: nothing that resembles them may call.
func originLookalikes(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	endpoint, err := url.Parse(p.URL())
	if err != nil {
		return &check.CannotJudge{Reason: "the endpoint's URL is malformed", Err: err}
	}
	foreign := attack.WithToken(trial.Token, trial.Request())
	foreign.Header.Set("Origin", "https://attacker.example")
	answer, err := p.Send(ctx, foreign)
	switch {
	case err != nil:
		return err
	case answer.Succeeded(), trial.Ran(foreign):
		return &check.Skipped{Of: "server/origin/foreign", Reason: "the server serves pages of any origin"}
	}
	origins := originsLike(candidateOrigins(ctx, p, endpoint))
	if attack.IsLoopback(endpoint) {
		origins = append(origins, rebound(endpoint)...)
	}
	return tryFew(ctx, origins, func(origin lookalike) error {
		request := attack.WithToken(trial.Token, trial.Request())
		request.Header.Set("Origin", origin.value)
		request.Host = origin.host
		if origin.forwarded != "" {
			request.Header.Set("X-Forwarded-Host", origin.forwarded)
		}
		answer, err := p.Send(ctx, request)
		if err != nil || !answer.Succeeded() && !trial.Ran(request) {
			return err
		}
		mismatch := p.Insecure("status 403 to Origin: "+origin.value+origin.note, "the result of the request")
		mismatch.(*check.Mismatch).Level = origin.level
		return mismatch
	})
}

// A lookalike is a foreign origin.
type lookalike struct {
	value     string
	note      string
	host      string // of the request; empty means the server's
	forwarded string // X-Forwarded-Host
	level     check.Level
}

// candidateOrigins returns origins that the server may allow: its own, local tools, well-known
// clients, and the origins that it names itself.
func candidateOrigins(ctx context.Context, p *bench.Probe, endpoint *url.URL) []string {
	origins := []string{
		endpoint.Scheme + "://" + endpoint.Host,
		"http://localhost",
		"http://127.0.0.1",
		"https://localhost",
		"http://localhost:3000",
		"http://localhost:6274",
		"https://claude.ai",
		"https://chatgpt.com",
		"https://vscode.dev",
		"https://github.com",
		"https://inspector.modelcontextprotocol.io",
		"https://example.com",
		"https://app.example.com",
		"https://login.microsoftonline.com",
	}
	if document, _, err := attack.FindMetadata(ctx, p.Clone()); err == nil {
		for _, address := range append([]string{document.Resource}, document.AuthorizationServers...) {
			if parsed, err := url.Parse(address); err == nil && parsed.Host != "" {
				origins = append(origins, parsed.Scheme+"://"+parsed.Host)
			}
		}
	}
	preflight := bench.Request{
		Method: http.MethodOptions,
		Header: http.Header{
			"Origin":                        {endpoint.Scheme + "://" + endpoint.Host},
			"Access-Control-Request-Method": {http.MethodPost},
		},
	}
	if answer, err := p.Clone().Send(ctx, preflight); err == nil {
		allowed := answer.Header.Get("Access-Control-Allow-Origin")
		if parsed, err := url.Parse(allowed); err == nil && parsed.Host != "" {
			origins = append(origins, allowed)
		}
	}
	slices.Sort(origins)
	return slices.Compact(origins)
}

// originsLike returns foreign origins that resemble others. A browser can send each of them.
func originsLike(origins []string) []lookalike {
	var found []lookalike
	add := func(values ...string) {
		for _, value := range values {
			if like := (lookalike{value: value}); !slices.Contains(found, like) {
				found = append(found, like)
			}
		}
	}
	for _, origin := range origins {
		parsed, err := url.Parse(origin)
		if err != nil {
			continue
		}
		scheme := parsed.Scheme + "://"
		host := parsed.Hostname()
		port := strings.TrimPrefix(parsed.Host, host) // with its colon, or empty
		if strings.Contains(host, ":") {
			continue // an IPv6 address
		}
		add(
			scheme+host+".attacker.example",
			scheme+host+".attacker.example"+port,
			scheme+host+"-attacker.example"+port,
			scheme+"x"+host+".attacker.example",
			scheme+"attacker.example."+host+".attacker.example"+port,
		)
		if net.ParseIP(host) != nil {
			add(scheme+strings.ReplaceAll(host, ".", "x")+port, scheme+host+"x.example"+port)
			continue
		}
		add(scheme+"attacker-"+host+port, scheme+"attacker"+host+port)
		if parent, domain, isName := strings.Cut(host, "."); isName {
			add(scheme + parent + "x" + domain + port)
		}
	}
	// Only programs send these. A server that parses an Origin and allows what it cannot parse is
	// open to no page, so they are notes.
	for _, value := range []string{
		"attacker.example",
		"//attacker.example",
		"https://attacker.example:99999",
		"https://[attacker",
		"NULL",
		"Null",
	} {
		found = append(found, lookalike{value: value, level: check.Policy})
	}
	return found
}

// rebound returns origins of an attacker whose name leads to this machine (DNS rebinding). Their
// pages send the attacker's name in Host, too.
func rebound(endpoint *url.URL) []lookalike {
	host := attack.WithPort("attacker.example", endpoint.Port())
	return []lookalike{
		{value: "http://" + host, host: host, note: ", with the same Host"},
		{
			value:     "http://attacker.example",
			forwarded: "attacker.example",
			note:      ", with the same X-Forwarded-Host",
			level:     check.Policy,
		},
	}
}
