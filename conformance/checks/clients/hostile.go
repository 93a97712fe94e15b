package clients

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"mcpentra/conformance/engine"
	"mcpentra/conformance/lab"
)

// clientHostile: servers that mean harm (MCP Security Best Practices; attacks on clients).
func clientHostile() []engine.Check {
	return []engine.Check{
		{
			ID: "client/open/scheme", Role: engine.Client, Level: engine.Must, Revisions: since20260728, Severity: engine.Critical,
			Reference: "MCP 2026-07-28 Security Best Practices, Authorization URL Validation; CVE-2025-6514",
			Sentence:  "An authorization page is opened only if it is https, or http on loopback.",
			Covers:    []string{"client-authorization-url-scheme", "CL-001"},
			RunClient: spared(lab.Script{}, fetchedIssuer, openedAnything, pages(
				"javascript:alert(1)", "data:text/html,<script>alert(1)</script>", "file:///etc/passwd", "vbscript:msgbox(1)", "a:$(touch x)", "custom-app://open", "http://login.example.com/authorize",
				"http://192.0.2.1/authorize", "--help", "-e=x", "\\\\host\\share\\x", "https://login.example.com/\x00", "https://login.example.com/a\nb", " javascript:alert(1)", "JaVaScRiPt:alert(1)")...),
		},
		{
			ID: "client/open/allowlist", Role: engine.Client, Level: engine.Should, Revisions: since20260728, Severity: engine.High,
			Reference: "MCP 2026-07-28 Security Best Practices, Authorization URL Validation",
			Sentence:  "The schemes that are opened are a list of what is allowed, and not of what is not.",
			Covers:    []string{"client-authorization-url-allowlist"},
			RunClient: spared(lab.Script{}, fetchedIssuer, openedAnything, pages("intent://scan/#Intent;end", "ms-msdt:/id", "ssh://login.example.com/")...),
		},
		{
			ID: "client/open/shell", Role: engine.Client, Level: engine.Must, Severity: engine.Critical,
			Reference: "MCP 2026-07-28 Security Best Practices, Authorization URL Validation; CVE-2025-6514",
			Sentence:  "The authorization page is opened without a shell: nothing in its address is run.",
			Covers:    []string{"client-no-shell-open", "CL-001"},
			RunClient: shellInAddress,
		},
		{
			ID: "client/open/nothing-else", Role: engine.Client, Level: engine.Must, Severity: engine.High,
			Reference: "MCP 2026-07-28 Security Best Practices, Authorization URL Validation",
			Sentence:  "No other address that a server gives, of documentation or of an error, is opened or fetched.",
			Covers:    []string{"CL-002"},
			RunClient: spared(lab.Script{}, authorized, func(l *lab.Lab) string {
				if slices.ContainsFunc(l.Opened(), func(page string) bool { return strings.Contains(page, "/bait") }) {
					return "it was opened"
				}
				if len(l.Find(func(r *lab.Request) bool { return strings.Contains(r.Path, "/bait") })) > 0 {
					return "it was fetched"
				}
				return ""
			}, variant{"addresses of documentation, policies and errors", lab.Script{
				Resource: func(l *lab.Lab, _ string, document map[string]any) {
					for _, name := range []string{"resource_documentation", "resource_policy_uri", "resource_tos_uri"} {
						document[name] = l.Origin(lab.Trap) + "/bait"
					}
				},
				Metadata: func(l *lab.Lab, _ lab.Party, _ string, document map[string]any) {
					for _, name := range []string{"service_documentation", "op_policy_uri", "op_tos_uri"} {
						document[name] = l.Origin(lab.Trap) + "/bait"
					}
				},
				Token: func(l *lab.Lab, _ lab.Party, _ url.Values, answer map[string]any) int {
					clear(answer)
					answer["error"], answer["error_uri"] = "invalid_request", l.Origin(lab.Trap)+"/bait"
					return http.StatusBadRequest
				},
			}}),
		},
		{
			ID: "client/address/plain-http", Role: engine.Client, Level: engine.Should, Revisions: since20250618, Severity: engine.High, Abilities: []engine.Ability{engine.UsesProxy},
			Reference: "MCP 2026-07-28 Security Best Practices, Authorization Code Protection; OAuth 2.1-13 section 1.5",
			Sentence:  "Addresses of metadata and endpoints are https, or on loopback.",
			Covers:    []string{"client-https-oauth-urls", "client-token-over-tls", "CL-003", "CL-022"},
			RunClient: throughProxy(nil, func(l *lab.Lab, at string) bool { return strings.HasPrefix(at, "http://") }, outside("http://203.0.113.1", func(*lab.Lab) string { return "http://203.0.113.1" })),
		},
		{
			ID: "client/address/redirect", Role: engine.Client, Level: engine.Should, Revisions: since20250618, Severity: engine.High, Abilities: []engine.Ability{engine.UsesProxy},
			Reference: "MCP 2026-07-28 Security Best Practices, Server-Side Request Forgery",
			Sentence:  "A redirect of metadata gets the same checks as its address: it does not lead to plain http or private addresses.",
			Covers:    []string{"client-ssrf-redirects", "CL-003"},
			RunClient: throughProxy(sentAway, func(_ *lab.Lab, at string) bool { return strings.Contains(at, "169.254.169.254") }, []variant{
				metadataRedirect("protected resource metadata", resourceRoot), metadataRedirect("authorization server metadata", issuerOAuth),
			}),
		},
		{
			ID: "client/address/injection", Role: engine.Client, Level: engine.Must, Revisions: since20250618, Severity: engine.High,
			Reference: "MCP 2026-07-28 Security Best Practices; RFC 9112 section 5.2",
			Sentence:  "An address with line breaks in it injects no header line.",
			Covers:    []string{"client-server-urls-validated"},
			RunClient: spared(lab.Script{}, nil, func(l *lab.Lab) string {
				if len(l.Find(func(r *lab.Request) bool { return r.Header.Get("X-Injected") != "" })) > 0 {
					return "a request with the injected header line"
				}
				return ""
			}, injecting("authorization_endpoint"), injecting("token_endpoint"), injecting("registration_endpoint")),
		},
		{
			ID: "client/address/file", Role: engine.Client, Level: engine.Must, Revisions: since20250618, Severity: engine.High,
			Reference: "MCP 2026-07-28 Security Best Practices, Server-Side Request Forgery; RFC 9728 section 3",
			Sentence:  "A file of this machine is not read as metadata because a server names it.",
			Covers:    []string{"client-server-urls-validated", "CL-003"},
			RunClient: fileNamed,
		},
		{
			ID: "client/proxy/loopback", Role: engine.Client, Level: engine.Policy, Severity: engine.Low, Abilities: []engine.Ability{engine.UsesProxy},
			Reference: "RFC 8252 section 8.3",
			Sentence:  "Requests to loopback do not go through a proxy.",
			Covers:    []string{"CL-055"},
			RunClient: func(ctx context.Context, p *engine.ClientProbe) error {
				if _, err := control(ctx, p, lab.Script{}); err != nil {
					return err
				}
				l := tryWithProxy(ctx, p, lab.Script{})
				if len(l.Find(func(r *lab.Request) bool { return r.Party == lab.Proxy })) > 0 {
					return l.Mismatch("nothing at the proxy", "requests for loopback addresses")
				}
				return nil
			},
		},
		{
			ID: "client/elicitation/url", Role: engine.Client, Level: engine.Must, Revisions: since20251125, EachRevision: true, Severity: engine.High,
			Reference: "MCP 2025-11-25 client elicitation, Safe URL Handling",
			Sentence:  "A page that a server wants the person to visit is neither opened nor fetched before the person has agreed, and here nobody has.",
			Covers:    []string{"client-elicitation-url-consent", "CL-002"},
			RunClient: func(ctx context.Context, p *engine.ClientProbe) error {
				return spared(lab.Script{Revision: p.Revision}, gotToken, func(l *lab.Lab) string {
					if slices.ContainsFunc(l.Opened(), func(page string) bool { return strings.Contains(page, "/bait") }) {
						return "it was opened"
					}
					if len(l.Find(func(r *lab.Request) bool { return strings.Contains(r.Path, "/bait") })) > 0 {
						return "it was fetched"
					}
					return ""
				}, variant{"a page that is wanted during a call", lab.Script{Stream: eliciting(p.Revision)}})(ctx, p)
			},
		},
		{
			ID: "client/tools/reference", Role: engine.Client, Level: engine.Must, Severity: engine.High,
			Reference: "MCP server tools; JSON Schema 2020-12 section 9.2.2",
			Sentence:  "A reference in a tool's schema to another address is not fetched.",
			Covers:    []string{"CL-051"},
			RunClient: spared(lab.Script{}, gotToken, func(l *lab.Lab) string {
				if len(l.Find(func(r *lab.Request) bool { return r.Party == lab.Trap })) > 0 {
					return "it was fetched"
				}
				return ""
			}, variant{"a remote $ref in a schema", lab.Script{Tool: func(l *lab.Lab, tool map[string]any) {
				tool["inputSchema"] = map[string]any{"type": "object", "$schema": l.Origin(lab.Trap) + "/schema", "properties": map[string]any{"a": map[string]any{"$ref": l.Origin(lab.Trap) + "/schema#/a"}}}
			}}}),
		},
		{
			ID: "client/tools/header", Role: engine.Client, Level: engine.Must, Revisions: since20260728, Severity: engine.High,
			Reference: "MCP 2026-07-28 transports, Custom Headers from Tool Parameters",
			Sentence:  "A tool whose x-mcp-header cannot be a header's name, or is there twice, is dropped, and so not called.",
			Covers:    []string{"CL-051"},
			RunClient: func(ctx context.Context, p *engine.ClientProbe) error {
				if _, err := control(ctx, p, lab.Script{Tool: parameters("Region", "Zone")}); err != nil {
					return err
				}
				return spared(lab.Script{}, gotToken, func(l *lab.Lab) string {
					if l.Called() {
						return "the tool was called"
					}
					return ""
				}, mirrored("line breaks in it", "A\r\nX-Injected: 1"), mirrored("a blank in it", "A B"), mirrored("a colon in it", "A:"), mirrored("nothing in it", ""),
					mirrored("the name of another", "Region", "region"))(ctx, p)
			},
		},
	}
}

// parameters gives the tool parameters that are mirrored in headers of these names.
func parameters(names ...string) func(*lab.Lab, map[string]any) {
	return func(_ *lab.Lab, tool map[string]any) {
		properties := map[string]any{}
		for i, name := range names {
			properties[fmt.Sprintf("p%d", i)] = map[string]any{"type": "string", "x-mcp-header": name}
		}
		tool["inputSchema"] = map[string]any{"type": "object", "properties": properties}
	}
}

func mirrored(name string, headers ...string) variant {
	return variant{"an x-mcp-header with " + name, lab.Script{Tool: parameters(headers...)}}
}

// fileNamed has the challenge name a file that is there, and would do as metadata.
func fileNamed(ctx context.Context, p *engine.ClientProbe) error {
	if _, err := control(ctx, p, lab.Script{}); err != nil {
		return err
	}
	l := lab.New(lab.Script{Revision: p.Revision, ResourceAt: []string{}, Challenge: func(*lab.Lab) []string {
		return []string{`Bearer resource_metadata="file://` + filepath.ToSlash(filepath.Join(p.State, "metadata.json")) + `"`}
	}})
	defer l.Close()
	text, err := json.Marshal(map[string]any{"resource": l.URL(), "authorization_servers": []string{l.IssuerID(lab.Second)}})
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(p.State, "metadata.json"), text, 0o600); err != nil {
		return &engine.CannotJudge{Reason: "the file cannot be written", Err: err}
	}
	alone(ctx, p, l)
	switch {
	case len(l.Find(func(r *lab.Request) bool { return r.Party == lab.Second })) > 0:
		return l.Insecure("no use of a file that the challenge names", "the authorization server that is named there alone was visited")
	case len(l.Endpoint()) == 0:
		return &engine.CannotJudge{Reason: "the client did not come as far as the challenge", Err: ending(l)}
	}
	return nil
}

// pages are variants whose authorization page has an address that must not be opened.
func pages(addresses ...string) []variant {
	var all []variant
	for _, address := range addresses {
		all = append(all, variant{fmt.Sprintf("the authorization page %q", address), lab.Script{Metadata: func(_ *lab.Lab, _ lab.Party, _ string, document map[string]any) {
			document["authorization_endpoint"] = address
		}}})
	}
	return all
}

func openedAnything(l *lab.Lab) string {
	if opened := l.Opened(); len(opened) > 0 {
		return "it was opened"
	}
	return ""
}

func shellInAddress(ctx context.Context, p *engine.ClientProbe) error {
	if _, err := control(ctx, p, lab.Script{}); err != nil {
		return err
	}
	canary := filepath.Join(p.State, "canary")
	for _, text := range []string{"$(touch ${IFS}%s)", "`touch %s`", ";touch %s;", "&touch %s&", "|touch %s|", `";touch %s;"`, `';touch %s;'`} {
		text = strings.ReplaceAll(text, "%s", canary)
		l := try(ctx, p, lab.Script{Metadata: func(l *lab.Lab, party lab.Party, _ string, document map[string]any) {
			document["authorization_endpoint"] = l.Origin(party) + "/doors/in?x=" + text
		}})
		if _, err := os.Stat(canary); err == nil {
			return l.Insecure("nothing of the address to be run", "the command in it was run: "+text)
		}
	}
	return nil
}

func withProxy(l *lab.Lab) func(*engine.Task) {
	return func(task *engine.Task) { task.Proxy = l.Origin(lab.Proxy) }
}

func tryWithProxy(ctx context.Context, p *engine.ClientProbe, script lab.Script) *lab.Lab {
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

// throughProxy wants no request that is harmful at the proxy, to which all goes that leaves the machine. The control shows that the client uses it. Reached is as with spared.
func throughProxy(reached func(l *lab.Lab) bool, harmful func(l *lab.Lab, at string) bool, variants []variant) runClient {
	return func(ctx context.Context, p *engine.ClientProbe) error {
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
			return &engine.CannotJudge{Reason: "the control failed: the client does not use the proxy", Err: ending(good)}
		}
		for _, one := range variants {
			l := tryWithProxy(ctx, p, one.script)
			for _, r := range l.Find(atProxy) {
				if harmful(l, r.Path) {
					return l.Insecure("no request: "+one.name, r.Method+" "+r.Path)
				}
			}
			if reached != nil && !reached(l) {
				if slices.ContainsFunc(l.Proxied(), func(asked string) bool { return strings.Contains(asked, "127.0.0.1") }) {
					return &engine.NotApplicable{Reason: "the client goes to loopback through the proxy, which leads nowhere"}
				}
				return &engine.CannotJudge{Reason: "the client did not come as far as to meet " + one.name, Err: ending(l)}
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
		all = append(all, variant{member + " at " + name, lab.Script{Metadata: func(l *lab.Lab, _ lab.Party, _ string, document map[string]any) { document[member] = origin(l) + "/x" }}})
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
	return variant{"a redirect of " + name, lab.Script{Intercept: func(_ *lab.Lab, r *lab.Request, w http.ResponseWriter, _ *http.Request) bool {
		if !strings.HasPrefix(r.Path, prefix) {
			return false
		}
		w.Header().Set("Location", "http://169.254.169.254/latest/meta-data")
		w.WriteHeader(http.StatusFound)
		return true
	}}}
}

func injecting(member string) variant {
	return variant{"line breaks in " + member, lab.Script{Metadata: func(l *lab.Lab, party lab.Party, _ string, document map[string]any) {
		document[member] = l.Origin(party) + "/doors/x HTTP/1.1\r\nX-Injected: 1\r\n"
	}}}
}

// eliciting answers a call by wanting the person to visit a page first, in the way of a revision.
func eliciting(revision engine.Revision) func(*lab.Lab, *lab.Request, map[string]any) []any {
	return func(l *lab.Lab, r *lab.Request, answer map[string]any) []any {
		if r.RPC != "tools/call" {
			return nil
		}
		wanted := map[string]any{"method": "elicitation/create", "params": map[string]any{
			"mode": "url", "elicitationId": "one", "url": l.Origin(lab.Trap) + "/bait", "message": "Sign in to go on.",
		}}
		if revision == engine.R20260728 {
			answer["result"] = map[string]any{"resultType": "input_required", "inputRequests": map[string]any{"one": wanted}, "requestState": "one"}
			return []any{answer}
		}
		wanted["jsonrpc"], wanted["id"] = "2.0", "elicitation-1"
		return []any{wanted, answer}
	}
}
