package clients

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"mcpentra/conformance/engine"
	"mcpentra/conformance/lab"
)

// clientPublic: servers of the public network, with names. What they may not do is another matter than for those on loopback, where the other labs are.
func clientPublic() []engine.Check {
	abilities := []engine.Ability{engine.UsesProxy, engine.TrustsCA}
	return []engine.Check{
		{
			ID: "client/address/private", Role: engine.Client, Level: engine.Should, Revisions: since20250618, Severity: engine.High, Abilities: abilities,
			Reference: "MCP 2026-07-28 Security Best Practices, Server-Side Request Forgery; RFC 9728 section 7.7",
			Sentence: "Where a server of the public network names addresses of loopback, of private networks and " +
				"of a cloud's metadata service, plain or embedded in IPv6, the client sends nothing there.",
			Covers:    []string{"client-ssrf-private-ranges", "client-server-urls-validated", "CL-003", "CL-022"},
			RunClient: privateAddresses,
		},
		{
			ID: "client/issuer/port", Role: engine.Client, Level: engine.Must, Revisions: since20250618, Severity: engine.Medium, Abilities: abilities,
			Reference: "RFC 8414 section 3.3; RFC 3986 section 6.2.1",
			Sentence:  "An issuer with its default port written out is not identical to the one without.",
			Covers:    []string{"client-as-issuer-validated", "CL-006"},
			RunClient: spared(lab.Script{Public: true}, fetchedIssuer, usedIssuer, publicly(claiming("its default port", func(issuer string) any { return issuer + ":443" })),
				publicly(claiming("its host in upper case", func(issuer string) any { return strings.Replace(issuer, "login.", "LOGIN.", 1) }))),
		},
		{
			ID: "client/iss/port", Role: engine.Client, Level: engine.Must, Revisions: since20260728, Severity: engine.Medium, Abilities: abilities,
			Reference: "RFC 9207 section 2.4; MCP 2026-07-28 authorization, Authorization Response Validation",
			Sentence:  "An iss with the default port written out, or the host in upper case, is not the authorization server's.",
			Covers:    []string{"client-iss-no-normalization", "CL-008"},
			RunClient: spared(lab.Script{Public: true}, authorized, firstRedeemed, publicly(altered("its default port", func(iss string) string { return strings.Replace(iss, "/tenant1", ":443/tenant1", 1) })),
				publicly(altered("its host in upper case", func(iss string) string { return strings.Replace(iss, "login.", "LOGIN.", 1) }))),
		},
		{
			ID: "client/isolation/subdomain", Role: engine.Client, Level: engine.Must, Severity: engine.Critical, Abilities: abilities,
			Reference: "MCP authorization, Token Theft; RFC 9110 section 15.4",
			Sentence:  "A token does not follow a redirect to a name below the server's, to another port of it, or to plain http.",
			Covers:    []string{"client-token-not-leaked", "client-token-over-tls", "CL-020"},
			RunClient: spared(lab.Script{Public: true}, sentAstray, func(l *lab.Lab) string {
				for _, token := range l.AccessTokens(l.Authority()) {
					if astray := l.Find(func(r *lab.Request) bool { return (r.Party == lab.Trap || r.Party == lab.Proxy) && r.Contains(token) }); len(astray) > 0 {
						return "the token came to the " + string(astray[0].Party)
					}
				}
				return ""
			}, astray("a name below the server's", "https://elsewhere.mcp.example.com/mcp"), astray("another port", "https://mcp.example.com:8443/mcp"), astray("plain http", "http://mcp.example.com/mcp")),
		},
	}
}

func publicly(one variant) variant {
	one.script.Public = true
	return one
}

func privateAddresses(ctx context.Context, p *engine.ClientProbe) error {
	if _, err := control(ctx, p, lab.Script{Public: true}); err != nil {
		return err
	}
	variants := outside("loopback", func(l *lab.Lab) string { return l.Loopback(lab.Trap) })
	variants = append(variants, outside("loopback, mapped to IPv6", func(l *lab.Lab) string {
		return strings.Replace(l.Loopback(lab.Trap), "127.0.0.1", "[::ffff:127.0.0.1]", 1)
	})...)
	for _, address := range []string{"https://169.254.169.254", "https://10.0.0.1", "https://192.168.0.1:8443", "https://[fd00::1]", "https://[::ffff:10.0.0.1]", "https://2852039166", "https://0xa9fea9fe", "https://10.1"} {
		variants = append(variants, outside(address, func(*lab.Lab) string { return address })...)
	}
	// These look public to a client that knows the usual ranges alone.
	for _, address := range []string{
		// Metadata services of clouds in ranges that are not public, the last three embedded. Azure's
		// 168.63.129.16 is in a public range, and no specification names it.
		"https://100.100.100.200", "https://[fd00:ec2::254]",
		"https://[64:ff9b::a9fe:a9fe]", "https://[64:ff9b:1::a9fe:a9fe]", "https://[2002:a9fe:a9fe::1]",
		// A private network, embedded.
		"https://[64:ff9b::a00:1]",
	} {
		variants = append(variants, namingIssuer(address, func(*lab.Lab) string { return address }))
	}
	for _, one := range variants {
		one.script.Public = true
		l := try(ctx, p, one.script)
		asked := slices.DeleteFunc(l.Proxied(), lab.IsPublic)
		switch {
		case len(asked) > 0:
			return l.Insecure("no request: "+one.name, "one for "+asked[0])
		case len(l.Find(func(r *lab.Request) bool { return r.Party == lab.Trap })) > 0:
			return l.Insecure("no request to this machine: "+one.name, "one")
		case len(l.Endpoint()) == 0:
			return &engine.CannotJudge{Reason: "the client did not come as far as the server", Err: ending(l)}
		}
	}
	return nil
}

// sentAstray reports whether the client was sent to where nobody has any business, and whoever goes there is seen.
func sentAstray(l *lab.Lab) bool {
	return slices.ContainsFunc(l.Endpoint(), func(r lab.Request) bool { return r.Status == http.StatusTemporaryRedirect }) &&
		len(l.Find(func(r *lab.Request) bool { return r.Party == lab.Trap && r.Path == liveControl })) > 0
}

func astray(name, location string) variant {
	return variant{"a redirect to " + name, lab.Script{Public: true, Intercept: func(l *lab.Lab, r *lab.Request, w http.ResponseWriter, request *http.Request) bool {
		if r.RPC != "tools/call" || r.Bearer() == "" {
			return false
		}
		l.Look(request.Context(), l.Origin(lab.Trap)+liveControl)
		w.Header().Set("Location", location)
		w.WriteHeader(http.StatusTemporaryRedirect)
		return true
	}}}
}
