package checks

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/issuers/internal/bench"
)

// redirectChecks returns the checks of authorization-server/redirect: where the authorization
// endpoint sends a browser.
func redirectChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "authorization-server/redirect/exact",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "OAuth 2.1 draft-13 sections 2.3.1 and 4.1.1; RFC 9700 section 4.1",
				Sentence:  "A redirect URI equals a registered one, byte by byte, except for a loopback port.",
				Covers: []string{
					"as-redirect-exact",
					"AS-020",
					"server-legacy-oauth21",
					"server-legacy-redirect-validated",
					"server-proxy-redirect-exact",
					"server-thirdparty-redirects-validated",
				},
			},
			Needs: []bench.Need{bench.Scripted},
			Run:   redirectExact,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/redirect/loopback",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "OAuth 2.1 draft-13 sections 2.3.1 and 8.4.2; RFC 8252 section 7.3",
				Sentence:  "Only the port of a loopback redirect URI may differ.",
				Covers:    []string{"as-redirect-exact", "AS-021"},
			},
			Needs: []bench.Need{bench.Scripted},
			Run:   redirectLoopback,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/redirect/loopback-port",
				Level:     check.Should,
				Reference: "RFC 8252 section 7.3; OAuth 2.1 draft-13 section 8.4.2",
				Sentence:  "A native client may use another port of its loopback redirect URI.",
				Covers:    []string{"as-redirect-loopback-port", "AS-021"},
			},
			Needs: []bench.Need{bench.Scripted},
			Run:   redirectLoopbackPort,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/redirect/query-kept",
				Level:     check.Must,
				Reference: "OAuth 2.1 draft-13 section 2.3; RFC 6749 section 3.1.2",
				Sentence:  "The query of a redirect URI stays, and the response is added to it.",
				Covers:    []string{"as-redirect-query-kept"},
			},
			Needs: []bench.Need{bench.Scripted},
			Run:   redirectQueryKept,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/redirect/own-parameters",
				Level:     check.Should,
				Severity:  check.Medium,
				Reference: "OAuth 2.1 draft-13 section 3.1: response parameters appear once; RFC 9207 section 2",
				Sentence:  "A redirect URI with its own code or iss does not lead to a response with two.",
				Covers:    []string{"AS-030"},
			},
			Needs: []bench.Need{bench.Scripted},
			Run:   redirectOwnParameters,
		},
	}
}

// A redirectVector is a redirect URI that differs from the registered one.
type redirectVector struct{ name, uri string }

// siteClient registers a client with an https redirect URI, and shows that it gets a code.
func siteClient(ctx context.Context, p *bench.Probe) (*bench.Client, error) {
	members := bench.Members{"redirect_uris": []string{bench.SiteRedirect}, "application_type": "web"}
	registered, err := p.MustRegister(ctx, members)
	if err != nil {
		return nil, err
	}
	_, err = p.Approved(ctx, registered.Client())
	return registered.Client(), err
}

// redirectExact tries authorization-server/redirect/exact.
func redirectExact(ctx context.Context, p *bench.Probe) error {
	client, err := siteClient(ctx, p)
	if err != nil {
		return err
	}
	host := "mcp-auth-conformance.example"
	return refuseRedirects(ctx, p, client, []redirectVector{
		{"another host", "https://other.example/callback"},
		{"a host that begins with it", "https://" + host + ".evil.example/callback"},
		{"a subdomain", "https://evil." + host + "/callback"},
		{"another path", "https://" + host + "/other"},
		{"a longer path", bench.SiteRedirect + "/more"},
		{"a path that begins with it", bench.SiteRedirect + "more"},
		{"a slash at the end", bench.SiteRedirect + "/"},
		{"a path in other letter case", "https://" + host + "/Callback"},
		{"dot segments", bench.SiteRedirect + "/../other"},
		{"encoded dot segments", bench.SiteRedirect + "/%2e%2e/other"},
		{"a query", bench.SiteRedirect + "?more=1"},
		{"a fragment", bench.SiteRedirect + "#more"},
		{"another scheme", "http://" + host + "/callback"},
		{"another port", "https://" + host + ":8443/callback"},
		{"a user name", "https://" + host + "@evil.example/callback"},
		{"a user name before the host", "https://evil@" + host + "/callback"},
		{"a backslash", `https://evil.example\@` + host + "/callback"},
		{"a tab", "https://" + host + "/call\tback"},
		{"no scheme", "//" + host + "/callback"},
		{"a scheme in capitals", "HTTPS://" + host + "/callback"},
		{"a host in capitals", "https://" + strings.ToUpper(host) + "/callback"},
		{"the default port", "https://" + host + ":443/callback"},
		{"a dot at the end of the host", "https://" + host + "./callback"},
		{"an encoded letter", "https://" + host + "/%63allback"},
		{"two slashes", "https://" + host + "//callback"},
		{"an empty query", bench.SiteRedirect + "?"},
		{"a path parameter", bench.SiteRedirect + ";more"},
		{"a blank at the end", bench.SiteRedirect + " "},
		{"an encoded line break", bench.SiteRedirect + "%0d%0a"},
		{"an encoded NUL", bench.SiteRedirect + "%00"},
	})
}

// redirectLoopback tries authorization-server/redirect/loopback.
func redirectLoopback(ctx context.Context, p *bench.Probe) error {
	registered, err := p.MustRegister(ctx, nil)
	if err != nil {
		return err
	}
	if _, err := p.Approved(ctx, registered.Client()); err != nil {
		return err
	}
	return refuseRedirects(ctx, p, registered.Client(), []redirectVector{
		{"another path", "http://127.0.0.1:33418/other"},
		{"a query", bench.LoopbackRedirect + "?more=1"},
		{"a host that begins with the address", "http://127.0.0.1.evil.example:33418/callback"},
		{"the address as a user name", "http://127.0.0.1:33418@evil.example/callback"},
		{"all addresses of this machine", "http://0.0.0.0:33418/callback"},
		{"another loopback address", "http://127.0.0.2:33418/callback"},
		{"another scheme", "https://127.0.0.1:33418/callback"},
	})
}

// refuseRedirects wants each redirect URI refused, without a redirect to it.
func refuseRedirects(ctx context.Context, p *bench.Probe, client *bench.Client, vectors []redirectVector) error {
	var found []*check.Mismatch
	for _, vector := range vectors {
		made, err := p.Authorize(ctx, client, bench.Set("redirect_uri", vector.uri))
		if err != nil {
			return err
		}
		found = append(found, judgeRedirect(p, client, made, vector))
	}
	return bench.All(found...)
}

// judgeRedirect judges where a request with an unregistered redirect URI ended. An error page
// passes. So does an error at the registered URI.
func judgeRedirect(
	p *bench.Probe, client *bench.Client, made *bench.Authorization, vector redirectVector,
) *check.Mismatch {
	want := "no redirect to a redirect URI with " + vector.name
	switch {
	case made.Landed == nil:
		return nil
	case !isRegistered(client, made.Landed):
		return p.Insecure(want, made.String())
	case made.Code() != "":
		// The server read the redirect URI as the registered one, and answered there.
		return p.MismatchAt(check.Should, want, made.String())
	}
	return nil
}

// isRegistered reports whether an address is the client's redirect URI with a response, as browsers
// read both.
func isRegistered(client *bench.Client, address *url.URL) bool {
	want, err := url.Parse(client.RedirectURI)
	if err != nil {
		return false
	}
	return originOf(address) == originOf(want) && address.Path == want.Path &&
		address.User == nil && address.Fragment == ""
}

// originOf returns the scheme, host and port of an address, in lower case and without a default
// port.
func originOf(address *url.URL) string {
	origin := strings.ToLower(address.Scheme + "://" + address.Host)
	for scheme, port := range map[string]string{"https://": ":443", "http://": ":80"} {
		if strings.HasPrefix(origin, scheme) {
			origin = strings.TrimSuffix(origin, port)
		}
	}
	return origin
}

// redirectLoopbackPort tries authorization-server/redirect/loopback-port.
func redirectLoopbackPort(ctx context.Context, p *bench.Probe) error {
	client, err := p.Public(ctx)
	if err != nil {
		return err
	}
	registered, err := url.Parse(client.RedirectURI)
	if err != nil || registered.Scheme != "http" || registered.Port() == "" {
		return &check.NotApplicable{Reason: "the client has no loopback redirect URI"}
	}
	if host := registered.Hostname(); host != "127.0.0.1" && host != "::1" {
		return &check.NotApplicable{Reason: "the client's redirect URI has a name, for which a server may be exact"}
	}
	if _, err := p.Approved(ctx, client); err != nil {
		return err
	}
	other := strings.Replace(client.RedirectURI, ":"+registered.Port(), ":41234", 1)
	made, err := p.Authorize(ctx, client, bench.Set("redirect_uri", other))
	if err == nil && made.Code() == "" {
		return p.Mismatch("a code at "+other, made.String())
	}
	return err
}

// redirectQueryKept tries authorization-server/redirect/query-kept.
func redirectQueryKept(ctx context.Context, p *bench.Probe) error {
	redirect := bench.SiteRedirect + "?tenant=a%20b"
	members := bench.Members{"redirect_uris": []string{redirect}, "application_type": "web"}
	_, registered, err := p.Register(ctx, bench.Registration(members))
	if err != nil {
		return err
	}
	if registered == nil {
		return &check.NotApplicable{Reason: "a client cannot register a redirect URI with a query"}
	}
	made, err := p.Approved(ctx, registered.Client(), bench.Set("redirect_uri", redirect))
	if err == nil && made.Response.Get("tenant") != "a b" {
		return p.Mismatch("tenant=a%20b in the redirect", fmt.Sprintf("%q", made.Response.Get("tenant")))
	}
	return err
}

// redirectOwnParameters tries authorization-server/redirect/own-parameters.
func redirectOwnParameters(ctx context.Context, p *bench.Probe) error {
	if _, err := p.MustRegister(ctx, nil); err != nil {
		return err
	}
	redirect := bench.SiteRedirect + "?code=own&iss=https%3A%2F%2Fevil.example"
	members := bench.Members{"redirect_uris": []string{redirect}, "application_type": "web"}
	_, registered, err := p.Register(ctx, bench.Registration(members))
	if err != nil || registered == nil {
		return err
	}
	made, err := p.Authorize(ctx, registered.Client(), bench.Set("redirect_uri", redirect))
	if err != nil || made.Landed == nil {
		return err
	}
	for _, name := range []string{"code", "iss"} {
		if values := made.Response[name]; len(values) > 1 {
			return p.Mismatch("at most one "+name, fmt.Sprintf("%d values", len(values)))
		}
	}
	return nil
}
