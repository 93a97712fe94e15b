package clients

import (
	"context"
	"net/http"
	"slices"

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
			Sentence:  "Where a server of the public network names addresses of loopback, of private networks and of a cloud's metadata service nothing is sent there.",
			Covers:    []string{"client-ssrf-private-ranges", "client-server-urls-validated", "CL-003", "CL-022"},
			RunClient: privateAddresses,
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

func privateAddresses(ctx context.Context, p *engine.ClientProbe) error {
	if _, err := control(ctx, p, lab.Script{Public: true}); err != nil {
		return err
	}
	variants := outside("loopback", func(l *lab.Lab) string { return l.Loopback(lab.Trap) })
	for _, address := range []string{"https://169.254.169.254", "https://10.0.0.1", "https://192.168.0.1:8443", "https://[fd00::1]", "https://[::ffff:10.0.0.1]"} {
		variants = append(variants, outside(address, func(*lab.Lab) string { return address })...)
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
