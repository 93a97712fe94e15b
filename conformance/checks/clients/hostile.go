package clients

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"

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
			Covers:    []string{"client-https-oauth-urls", "client-token-over-tls", "client-ssrf-private-ranges", "CL-003", "CL-022"},
			RunClient: throughProxy(func(l *lab.Lab, at string) bool { return strings.HasPrefix(at, "http://") }, outside("http://203.0.113.1")),
		},
		{
			ID: "client/address/redirect", Role: engine.Client, Level: engine.Should, Revisions: since20250618, Severity: engine.High, Abilities: []engine.Ability{engine.UsesProxy},
			Reference: "MCP 2026-07-28 Security Best Practices, Server-Side Request Forgery",
			Sentence:  "A redirect of metadata gets the same checks as its address: it does not lead to plain http or private addresses.",
			Covers:    []string{"client-ssrf-redirects", "CL-003"},
			RunClient: throughProxy(func(_ *lab.Lab, at string) bool { return strings.Contains(at, "169.254.169.254") }, []variant{
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
			ID: "client/limit/metadata", Role: engine.Client, Level: engine.Policy, Revisions: since20250618, Severity: engine.Medium,
			Reference: "RFC 9728 section 7.7",
			Sentence:  "A document without an end is given up on.",
			Covers:    []string{"CL-027"},
			RunClient: func(ctx context.Context, p *engine.ClientProbe) error {
				for _, at := range []struct{ name, path string }{{"protected resource metadata", resourceRoot}, {"authorization server metadata", "/.well-known/o"}} {
					if err := endless(ctx, p, at.name, func(r *lab.Request) bool {
						return strings.HasPrefix(r.Path, at.path) && (at.path == resourceRoot || r.Party == lab.Issuer)
					}, "application/json", `{"resource":"`, strings.Repeat("a", 64<<10)); err != nil {
						return err
					}
				}
				return nil
			},
		},
		{
			ID: "client/limit/token", Role: engine.Client, Level: engine.Policy, Severity: engine.Medium,
			Reference: "OAuth 2.1-13 section 3.2.3",
			Sentence:  "An answer of the token endpoint without an end is given up on.",
			Covers:    []string{"CL-027"},
			RunClient: func(ctx context.Context, p *engine.ClientProbe) error {
				return endless(ctx, p, "token response", func(r *lab.Request) bool { return r.Form.Get("grant_type") != "" }, "application/json", `{"access_token":"`, strings.Repeat("a", 64<<10))
			},
		},
		{
			ID: "client/limit/unpacked", Role: engine.Client, Level: engine.Policy, Revisions: since20250618, Severity: engine.Medium,
			Reference: "RFC 9110 section 8.4.1; CWE-409",
			Sentence:  "A compressed document that is small on its way and huge when it is unpacked is given up on.",
			Covers:    []string{"CL-027"},
			RunClient: spared(lab.Script{}, func(l *lab.Lab) bool {
				return len(l.Find(func(r *lab.Request) bool { return strings.HasPrefix(r.Path, resourceRoot) })) > 0
			}, func(l *lab.Lab) string {
				if len(l.Find(func(r *lab.Request) bool { return r.Party == lab.Issuer })) > 0 {
					return fmt.Sprintf("%d MiB of metadata were unpacked and used", unpacked>>20)
				}
				return ""
			}, variant{"protected resource metadata that is packed a thousandfold", lab.Script{Intercept: packed}}),
		},
		{
			ID: "client/limit/challenge", Role: engine.Client, Level: engine.Policy, Severity: engine.High,
			Reference: "RFC 9110 section 11.6.1",
			Sentence:  "A challenge of many kilobytes costs no time worth mentioning.",
			Covers:    []string{"CL-026"},
			RunClient: spared(lab.Script{}, nil, func(l *lab.Lab) string {
				if errors.Is(l.Err(), lab.ErrTimeUp) {
					return "the client did not end"
				}
				return ""
			}, long("separators", strings.Repeat(", ", 6000)), long("an unfinished quote", `Bearer realm="`+strings.Repeat("a\\", 6000)), long("a thousand challenges", strings.Repeat("A b=c, ", 1000)),
				long("one long blank", "Bearer"+strings.Repeat(" ", 12000)+"x"), long("equals signs", "Bearer "+strings.Repeat("=", 12000))),
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

// throughProxy wants no request that is harmful at the proxy, to which all goes that leaves the machine. The control shows that the client uses it.
func throughProxy(harmful func(l *lab.Lab, at string) bool, variants []variant) runClient {
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
		}
		return nil
	}
}

// outside are variants where one address after the other is at an origin outside.
func outside(origin string) []variant {
	all := []variant{
		{"resource_metadata at " + origin, lab.Script{Challenge: func(*lab.Lab) []string {
			return []string{`Bearer resource_metadata="` + origin + `/.well-known/oauth-protected-resource"`}
		}}},
		{"an authorization server at " + origin, lab.Script{Resource: func(_ *lab.Lab, _ string, document map[string]any) {
			document["authorization_servers"] = []string{origin}
		}}},
	}
	for _, name := range []string{"token_endpoint", "registration_endpoint"} {
		all = append(all, variant{name + " at " + origin, lab.Script{Metadata: func(_ *lab.Lab, _ lab.Party, _ string, document map[string]any) { document[name] = origin + "/x" }}})
	}
	return all
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

func long(name, challenge string) variant {
	return variant{"a challenge of " + name, lab.Script{Challenge: func(*lab.Lab) []string { return []string{challenge} }}}
}

// packed answers a request for protected resource metadata with a document that is right, and compressed since its most part is nothing.
func packed(l *lab.Lab, r *lab.Request, w http.ResponseWriter, _ *http.Request) bool {
	if !strings.HasPrefix(r.Path, resourceRoot) {
		return false
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Encoding", "gzip")
	to, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err != nil {
		return false
	}
	defer to.Close()
	fmt.Fprintf(to, `{"resource":%q,"authorization_servers":[%q],"x_padding":"`, l.URL(), l.IssuerID(lab.Issuer))
	padding := []byte(strings.Repeat("a", 64<<10))
	for n := 0; n < unpacked; n += len(padding) {
		if _, err := to.Write(padding); err != nil {
			return true
		}
	}
	fmt.Fprint(to, `"}`)
	return true
}

// unpacked is how long a document becomes that is packed, in bytes: no metadata need as much.
const unpacked = 16 << 20

// enough is when a document is too long for anybody to go on reading, in bytes.
const enough = 32 << 20

// endless answers one kind of request with a document that has no end, and wants the client to stop reading.
func endless(ctx context.Context, p *engine.ClientProbe, name string, is func(*lab.Request) bool, kind, beginning, more string) error {
	if _, err := control(ctx, p, lab.Script{}); err != nil {
		return err
	}
	var sent, met atomic.Int64
	l := try(ctx, p, lab.Script{Intercept: func(_ *lab.Lab, r *lab.Request, w http.ResponseWriter, request *http.Request) bool {
		if !is(r) {
			return false
		}
		met.Add(1)
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(http.StatusOK)
		text := []byte(beginning + more)
		for n := 0; n < enough && request.Context().Err() == nil; n += len(text) {
			if _, err := w.Write(text); err != nil {
				break
			}
			if total := int64(n + len(text)); total > sent.Load() {
				sent.Store(total)
			}
			text = []byte(more)
		}
		return true
	}})
	switch {
	case met.Load() == 0:
		return &engine.CannotJudge{Reason: "the client did not come as far as the " + name, Err: ending(l)}
	case sent.Load() >= enough:
		return l.Mismatch("an end of reading: "+name, fmt.Sprintf("%d MiB read", enough>>20))
	}
	return nil
}
