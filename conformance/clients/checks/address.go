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

// addressChecks are checks of client/address: URLs from a malicious server (MCP Security Best
// Practices).
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
				Sentence: "URLs of metadata and endpoints use https, or are on loopback.",
				Covers:   []string{"client-https-oauth-urls", "client-token-over-tls", "CL-003", "CL-022"},
			},
			Abilities: []bench.Ability{bench.UsesProxy},
			Run: throughProxy(
				nil,
				func(l *lab.Lab, at string) bool { return strings.HasPrefix(at, "http://") },
				endpointsAt("http://203.0.113.1", func(*lab.Lab) string { return "http://203.0.113.1" }),
			),
		},
		{
			Rule: check.Rule{
				ID:        "client/address/redirect",
				Level:     check.Should,
				Severity:  check.High,
				Revisions: since20250618,
				Reference: "MCP 2026-07-28 Security Best Practices, Server-Side Request Forgery",
				Sentence:  "A client does not follow a redirect of metadata to plain http or to a private address.",
				Covers:    []string{"client-ssrf-redirects", "CL-003"},
			},
			Abilities: []bench.Ability{bench.UsesProxy},
			Run: throughProxy(
				metadataRedirected,
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
				Reference: "MCP 2026-07-28 Security Best Practices; RFC 9112 section 3.2",
				Sentence:  "A URL that contains line breaks adds no header line to a request.",
				Covers:    []string{"client-server-urls-validated"},
			},
			Run: noHarm(
				lab.Script{},
				nil,
				injectedHeader,
				splitAddress("authorization_endpoint"),
				splitAddress("token_endpoint"),
				splitAddress("registration_endpoint"),
			),
		},
		{
			Rule: check.Rule{
				ID:        "client/address/file",
				Level:     check.Must,
				Severity:  check.High,
				Revisions: since20250618,
				Reference: "MCP 2026-07-28 Security Best Practices, Server-Side Request Forgery; RFC 9728 section 3",
				Sentence:  "The client does not read a local file as metadata because a server names it.",
				Covers:    []string{"client-server-urls-validated", "CL-003"},
			},
			Needs: []bench.Need{bench.Asking},
			Run:   addressFile,
		},
		{
			Rule: check.Rule{
				ID:        "client/address/private",
				Level:     check.Should,
				Severity:  check.High,
				Revisions: since20250618,
				Reference: "MCP 2026-07-28 Security Best Practices, Server-Side Request Forgery; RFC 9728 section 7.7",
				Sentence: "When a server on the public network names loopback, a private address or a " +
					"cloud's metadata service, plain or embedded in IPv6, the client sends nothing there.",
				Covers: []string{"client-ssrf-private-ranges", "client-server-urls-validated", "CL-003", "CL-022"},
			},
			Abilities: []bench.Ability{bench.UsesProxy, bench.TrustsCA},
			Run:       addressPrivate,
		},
	}
}

// injectedHeader reports a request with the injected header line.
func injectedHeader(l *lab.Lab) string {
	if l.Saw(func(r *lab.Request) bool { return r.Header.Get("X-Injected") != "" }) {
		return "a request with the injected header line"
	}
	return ""
}

// addressFile tries client/address/file. The challenge names a local file with valid metadata.
func addressFile(ctx context.Context, p *bench.Probe) error {
	if err := wantControl(ctx, p, lab.Script{}); err != nil {
		return err
	}
	name := filepath.Join(p.State, "metadata.json")
	address := "file://" + filepath.ToSlash(name)
	l := lab.New(lab.Script{
		Revision:   p.Revision,
		ResourceAt: []string{},
		Challenge:  func(*lab.Lab) []string { return []string{resourceMetadata(address)} },
	})
	defer l.Close()
	text, err := json.Marshal(map[string]any{
		"resource":              l.URL(),
		"authorization_servers": []string{l.IssuerID(lab.Second)},
	})
	if err != nil {
		return err
	}
	if err := os.WriteFile(name, text, 0o600); err != nil {
		return &check.CannotJudge{Reason: "the file cannot be written", Err: err}
	}
	runAlone(ctx, p, l)
	switch {
	case l.Saw(func(r *lab.Request) bool { return r.Party == lab.Second }):
		return l.Insecure(
			"no read of the file that the challenge names",
			"a visit to the authorization server that only the file names",
		)
	case len(l.Endpoint()) == 0:
		return &check.CannotJudge{Reason: "the client did not reach the challenge", Err: ending(l)}
	}
	return nil
}

// runWithProxy is runClient with the lab's proxy in the task.
func runWithProxy(ctx context.Context, p *bench.Probe, script lab.Script) *lab.Lab {
	script.Revision = p.Revision
	l := lab.New(script)
	defer l.Close()
	runAlone(ctx, p, l, func(task *bench.Task) { task.Proxy = l.Origin(lab.Proxy) })
	return l
}

// atProxy reports whether a request reached the proxy.
func atProxy(r *lab.Request) bool { return r.Party == lab.Proxy }

// resourceMetadata returns a challenge with a URL of protected resource metadata.
func resourceMetadata(address string) string { return `Bearer resource_metadata="` + address + `"` }

// metadataRedirected reports whether a request for metadata was redirected.
func metadataRedirected(l *lab.Lab) bool {
	return l.Saw(func(r *lab.Request) bool {
		return strings.HasPrefix(r.Path, "/.well-known/") && r.Status == http.StatusFound
	})
}

// throughProxy wants no harmful request at the proxy. Every request that leaves the machine goes
// there. A control first shows that the client uses the proxy. Reached works as in noHarm.
func throughProxy(
	reached func(l *lab.Lab) bool, harmful func(l *lab.Lab, at string) bool, variants []variant,
) runFunc {
	return func(ctx context.Context, p *bench.Probe) error {
		if err := usesProxy(ctx, p); err != nil {
			return err
		}
		for _, variant := range variants {
			l := runWithProxy(ctx, p, variant.script)
			for _, r := range l.Find(atProxy) {
				if harmful(l, r.Path) {
					return l.Insecure("no request: "+variant.name, r.Method+" "+r.Path)
				}
			}
			if reached == nil || reached(l) {
				continue
			}
			if slices.ContainsFunc(l.ProxyTargets(), namesLoopback) {
				return &check.NotApplicable{
					Reason: "the client sends requests for loopback through the proxy, which forwards nothing",
				}
			}
			return &check.CannotJudge{Reason: "the client did not reach " + variant.name, Err: ending(l)}
		}
		return nil
	}
}

// usesProxy is the control of throughProxy. The client must send a request for public metadata, or
// to a public authorization server, through the proxy.
func usesProxy(ctx context.Context, p *bench.Probe) error {
	if err := wantControl(ctx, p, lab.Script{}); err != nil {
		return err
	}
	publicMetadata := resourceMetadata("https://mcp.example.com" + resourceRoot)
	l := runWithProxy(ctx, p, lab.Script{
		ResourceAt: []string{},
		Challenge:  func(*lab.Lab) []string { return []string{publicMetadata} },
	})
	if l.Saw(atProxy) {
		return nil
	}
	l = runWithProxy(ctx, p, issuerNamedAt("a public host", func(*lab.Lab) string {
		return "https://login.example.com"
	}).script)
	if l.Saw(atProxy) {
		return nil
	}
	return &check.CannotJudge{Reason: "the control failed: the client does not use the proxy", Err: ending(l)}
}

func namesLoopback(address string) bool { return strings.Contains(address, "127.0.0.1") }

// endpointsAt returns variants that each move one URL to an origin that the client must avoid.
func endpointsAt(name string, origin func(l *lab.Lab) string) []variant {
	challenge := func(l *lab.Lab) []string { return []string{resourceMetadata(origin(l) + resourceRoot)} }
	all := []variant{
		{"resource_metadata at " + name, lab.Script{Challenge: challenge}},
		issuerNamedAt(name, origin),
	}
	for _, member := range []string{"token_endpoint", "registration_endpoint"} {
		move := func(l *lab.Lab, _ lab.Party, _ string, document map[string]any) {
			document[member] = origin(l) + "/x"
		}
		all = append(all, variant{member + " at " + name, lab.Script{Metadata: move}})
	}
	return all
}

// issuerNamedAt returns a variant whose MCP server names an authorization server at an origin.
func issuerNamedAt(name string, origin func(l *lab.Lab) string) variant {
	move := func(l *lab.Lab, _ string, document map[string]any) {
		document["authorization_servers"] = []string{origin(l)}
	}
	return variant{"an authorization server at " + name, lab.Script{Resource: move}}
}

// metadataRedirect returns a variant that redirects metadata below a path to a cloud's metadata
// service.
func metadataRedirect(name, prefix string) variant {
	redirect := func(_ *lab.Lab, r *lab.Request, w http.ResponseWriter, _ *http.Request) bool {
		if !strings.HasPrefix(r.Path, prefix) {
			return false
		}
		w.Header().Set("Location", "http://169.254.169.254/latest/meta-data")
		w.WriteHeader(http.StatusFound)
		return true
	}
	return variant{"a redirect of " + name, lab.Script{Intercept: redirect}}
}

// splitAddress returns a variant with line breaks and a header line in an endpoint's URL.
func splitAddress(member string) variant {
	inject := func(l *lab.Lab, party lab.Party, _ string, document map[string]any) {
		document[member] = l.Origin(party) + "/doors/x HTTP/1.1\r\nX-Injected: 1\r\n"
	}
	return variant{"line breaks in " + member, lab.Script{Metadata: inject}}
}

// addressPrivate tries client/address/private.
func addressPrivate(ctx context.Context, p *bench.Probe) error {
	if _, err := completeTask(ctx, p, lab.Script{Public: true}); err != nil {
		return err
	}
	for _, variant := range privateVariants() {
		variant.script.Public = true
		l := runClient(ctx, p, variant.script)
		asked := slices.DeleteFunc(l.ProxyTargets(), lab.IsPublic)
		switch {
		case len(asked) > 0:
			return l.Insecure("no request: "+variant.name, "one for "+asked[0])
		case l.Saw(func(r *lab.Request) bool { return r.Party == lab.Trap }):
			return l.Insecure("no request to this machine: "+variant.name, "one")
		case !l.Saw(func(r *lab.Request) bool { return r.Party == lab.Server }):
			return &check.CannotJudge{Reason: "the client did not reach the server", Err: ending(l)}
		}
	}
	return nil
}

// privateVariants returns variants that name private addresses in many forms.
func privateVariants() []variant {
	variants := endpointsAt("loopback", func(l *lab.Lab) string { return l.Loopback(lab.Trap) })
	variants = append(variants, endpointsAt("loopback, mapped to IPv6", func(l *lab.Lab) string {
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
		variants = append(variants, endpointsAt(address, func(*lab.Lab) string { return address })...)
	}
	// A client that knows only the usual private ranges takes these for public.
	for _, address := range []string{
		// Metadata services of clouds. The last three embed the IPv4 address in IPv6.
		// Azure's 168.63.129.16 is missing: it is in a public range, and no specification names it.
		"https://100.100.100.200",
		"https://[fd00:ec2::254]",
		"https://[64:ff9b::a9fe:a9fe]",
		"https://[64:ff9b:1::a9fe:a9fe]",
		"https://[2002:a9fe:a9fe::1]",
		// A private IPv4 address, embedded in IPv6.
		"https://[64:ff9b::a00:1]",
	} {
		variants = append(variants, issuerNamedAt(address, func(*lab.Lab) string { return address }))
	}
	return variants
}
