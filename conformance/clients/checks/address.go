package checks

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/clients/internal/bench"
	"mcpentra/conformance/clients/internal/lab"
)

// addressChecks are checks of client/address: servers that mean harm (MCP Security Best Practices;
// attacks on clients).
func addressChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "client/address/plain-http",
				Level:     check.Should,
				Severity:  check.High,
				Revisions: since20250618,
				Reference: "MCP 2026-07-28 Security Best Practices, Authorization Code Protection; OAuth 2.1-13 " +
					"section 1.5",
				Sentence: "Addresses of metadata and endpoints are https, or on loopback.",
				Covers:   []string{"client-https-oauth-urls", "client-token-over-tls", "CL-003", "CL-022"},
			},
			Abilities: []bench.Ability{bench.UsesProxy},
			Run: throughProxy(
				nil,
				func(l *lab.Lab, at string) bool { return strings.HasPrefix(at, "http://") },
				outside("http://203.0.113.1", func(*lab.Lab) string { return "http://203.0.113.1" }),
			),
		},
		{
			Rule: check.Rule{
				ID:        "client/address/redirect",
				Level:     check.Should,
				Severity:  check.High,
				Revisions: since20250618,
				Reference: "MCP 2026-07-28 Security Best Practices, Server-Side Request Forgery",
				Sentence: "A redirect of metadata gets the same checks as its address: it does not lead to plain " +
					"http or private addresses.",
				Covers: []string{"client-ssrf-redirects", "CL-003"},
			},
			Abilities: []bench.Ability{bench.UsesProxy},
			Run: throughProxy(
				sentAway,
				func(_ *lab.Lab, at string) bool { return strings.Contains(at, "169.254.169.254") },
				[]variant{
					metadataRedirect("protected resource metadata", resourceRoot),
					metadataRedirect("authorization server metadata", issuerOAuth),
				},
			),
		},
		{
			Rule: check.Rule{
				ID:        "client/address/injection",
				Level:     check.Must,
				Severity:  check.High,
				Revisions: since20250618,
				Reference: "MCP 2026-07-28 Security Best Practices; RFC 9112 section 5.2",
				Sentence:  "An address with line breaks in it injects no header line.",
				Covers:    []string{"client-server-urls-validated"},
			},
			Run: noHarm(lab.Script{}, nil, func(l *lab.Lab) string {
				if len(l.Find(func(r *lab.Request) bool { return r.Header.Get("X-Injected") != "" })) > 0 {
					return "a request with the injected header line"
				}
				return ""
			}, injecting("authorization_endpoint"), injecting("token_endpoint"), injecting("registration_endpoint")),
		},
		{
			Rule: check.Rule{
				ID:        "client/address/file",
				Level:     check.Must,
				Severity:  check.High,
				Revisions: since20250618,
				Reference: "MCP 2026-07-28 Security Best Practices, Server-Side Request Forgery; RFC 9728 section 3",
				Sentence:  "A file of this machine is not read as metadata because a server names it.",
				Covers:    []string{"client-server-urls-validated", "CL-003"},
			},
			Run: fileNamed,
		},
		{
			Rule: check.Rule{
				ID:        "client/address/private",
				Level:     check.Should,
				Severity:  check.High,
				Revisions: since20250618,
				Reference: "MCP 2026-07-28 Security Best Practices, Server-Side Request Forgery; RFC 9728 section 7.7",
				Sentence: "Where a server of the public network names addresses of loopback, of private networks and " +
					"of a cloud's metadata service, plain or embedded in IPv6, the client sends nothing there.",
				Covers: []string{"client-ssrf-private-ranges", "client-server-urls-validated", "CL-003", "CL-022"},
			},
			Abilities: []bench.Ability{bench.UsesProxy, bench.TrustsCA},
			Run:       privateAddresses,
		},
	}
}

// fileNamed has the challenge name a file that is there, and would do as metadata.
func fileNamed(ctx context.Context, p *bench.Probe) error {
	if _, err := control(ctx, p, lab.Script{}); err != nil {
		return err
	}
	l := lab.New(lab.Script{
		Revision:   p.Revision,
		ResourceAt: []string{},
		Challenge: func(*lab.Lab) []string {
			return []string{
				`Bearer resource_metadata="file://` + filepath.ToSlash(filepath.Join(p.State, "metadata.json")) + `"`,
			}
		},
	})
	defer l.Close()
	text, err := json.Marshal(map[string]any{
		"resource":              l.URL(),
		"authorization_servers": []string{l.IssuerID(lab.Second)},
	})
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(p.State, "metadata.json"), text, 0o600); err != nil {
		return &check.CannotJudge{Reason: "the file cannot be written", Err: err}
	}
	alone(ctx, p, l)
	switch {
	case len(l.Find(func(r *lab.Request) bool { return r.Party == lab.Second })) > 0:
		return l.Insecure(
			"no use of a file that the challenge names",
			"the authorization server that is named there alone was visited",
		)
	case len(l.Endpoint()) == 0:
		return &check.CannotJudge{Reason: "the client did not come as far as the challenge", Err: ending(l)}
	}
	return nil
}

func withProxy(l *lab.Lab) func(*bench.Task) {
	return func(task *bench.Task) { task.Proxy = l.Origin(lab.Proxy) }
}

func tryWithProxy(ctx context.Context, p *bench.Probe, script lab.Script) *lab.Lab {
	script.Revision = p.Revision
	l := lab.New(script)
	defer l.Close()
	alone(ctx, p, l, withProxy(l))
	return l
}

// sentAway reports whether a request for metadata was redirected.
func sentAway(l *lab.Lab) bool {
	return len(l.Find(func(r *lab.Request) bool {
		return strings.HasPrefix(r.Path, "/.well-known/") && r.Status == http.StatusFound
	})) > 0
}

// throughProxy wants no request that is harmful at the proxy, to which all goes that leaves the
// machine. The control shows that the client uses it. Reached is as with noHarm.
func throughProxy(
	reached func(l *lab.Lab) bool, harmful func(l *lab.Lab, at string) bool, variants []variant,
) runClient {
	return func(ctx context.Context, p *bench.Probe) error {
		if _, err := control(ctx, p, lab.Script{}); err != nil {
			return err
		}
		atProxy := func(r *lab.Request) bool { return r.Party == lab.Proxy }
		good := tryWithProxy(ctx, p, lab.Script{Challenge: func(*lab.Lab) []string {
			return []string{`Bearer resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource"`}
		}, ResourceAt: []string{}})
		if len(good.Find(atProxy)) == 0 {
			good = tryWithProxy(ctx, p, lab.Script{Resource: func(_ *lab.Lab, _ string, document map[string]any) {
				document["authorization_servers"] = []string{"https://login.example.com"}
			}})
		}
		if len(good.Find(atProxy)) == 0 {
			return &check.CannotJudge{
				Reason: "the control failed: the client does not use the proxy",
				Err:    ending(good),
			}
		}
		for _, one := range variants {
			l := tryWithProxy(ctx, p, one.script)
			for _, r := range l.Find(atProxy) {
				if harmful(l, r.Path) {
					return l.Insecure("no request: "+one.name, r.Method+" "+r.Path)
				}
			}
			if reached != nil && !reached(l) {
				if slices.ContainsFunc(
					l.Proxied(),
					func(asked string) bool { return strings.Contains(asked, "127.0.0.1") },
				) {
					return &check.NotApplicable{
						Reason: "the client goes to loopback through the proxy, which leads nowhere",
					}
				}
				return &check.CannotJudge{
					Reason: "the client did not come as far as to meet " + one.name,
					Err:    ending(l),
				}
			}
		}
		return nil
	}
}

// outside are variants where one address after the other is at an origin where it has no business.
func outside(name string, origin func(l *lab.Lab) string) []variant {
	all := []variant{
		{"resource_metadata at " + name, lab.Script{Challenge: func(l *lab.Lab) []string {
			return []string{`Bearer resource_metadata="` + origin(l) + `/.well-known/oauth-protected-resource"`}
		}}},
		namingIssuer(name, origin),
	}
	for _, member := range []string{"token_endpoint", "registration_endpoint"} {
		all = append(
			all,
			variant{
				member + " at " + name,
				lab.Script{
					Metadata: func(l *lab.Lab, _ lab.Party, _ string, document map[string]any) {
						document[member] = origin(l) + "/x"
					},
				},
			},
		)
	}
	return all
}

// namingIssuer is a variant whose MCP server names an authorization server at an origin.
func namingIssuer(name string, origin func(l *lab.Lab) string) variant {
	return variant{"an authorization server at " + name, lab.Script{
		Resource: func(l *lab.Lab, _ string, document map[string]any) {
			document["authorization_servers"] = []string{origin(l)}
		},
	}}
}

func metadataRedirect(name, prefix string) variant {
	return variant{
		"a redirect of " + name,
		lab.Script{Intercept: func(_ *lab.Lab, r *lab.Request, w http.ResponseWriter, _ *http.Request) bool {
			if !strings.HasPrefix(r.Path, prefix) {
				return false
			}
			w.Header().Set("Location", "http://169.254.169.254/latest/meta-data")
			w.WriteHeader(http.StatusFound)
			return true
		}},
	}
}

func injecting(member string) variant {
	return variant{
		"line breaks in " + member,
		lab.Script{Metadata: func(l *lab.Lab, party lab.Party, _ string, document map[string]any) {
			document[member] = l.Origin(party) + "/doors/x HTTP/1.1\r\nX-Injected: 1\r\n"
		}},
	}
}

func privateAddresses(ctx context.Context, p *bench.Probe) error {
	if _, err := control(ctx, p, lab.Script{Public: true}); err != nil {
		return err
	}
	variants := outside("loopback", func(l *lab.Lab) string { return l.Loopback(lab.Trap) })
	variants = append(variants, outside("loopback, mapped to IPv6", func(l *lab.Lab) string {
		return strings.Replace(l.Loopback(lab.Trap), "127.0.0.1", "[::ffff:127.0.0.1]", 1)
	})...)
	for _, address := range []string{
		"https://169.254.169.254",
		"https://10.0.0.1",
		"https://192.168.0.1:8443",
		"https://[fd00::1]",
		"https://[::ffff:10.0.0.1]",
		"https://2852039166",
		"https://0xa9fea9fe",
		"https://10.1",
	} {
		variants = append(variants, outside(address, func(*lab.Lab) string { return address })...)
	}
	// These look public to a client that knows the usual ranges alone.
	for _, address := range []string{
		// Metadata services of clouds in ranges that are not public, the last three embedded.
		// Azure's 168.63.129.16 is in a public range, and no specification names it.
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
			return &check.CannotJudge{Reason: "the client did not come as far as the server", Err: ending(l)}
		}
	}
	return nil
}
