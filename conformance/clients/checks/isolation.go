package checks

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/clients/internal/bench"
	"mcpentra/conformance/clients/internal/lab"
)

// isolationChecks are checks of client/isolation: what belongs to one server or authorization
// server is never given to another (MCP 2026-07-28, Authorization Server Binding; Security Best
// Practices).
func isolationChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "client/isolation/issuer-change",
				Level:     check.Must,
				Severity:  check.Critical,
				Revisions: since20260728,
				Reference: "MCP 2026-07-28 authorization, Authorization Server Binding",
				Sentence: "What one authorization server has issued, client ID and secret and tokens, is not sent to " +
					"another that the metadata names later.",
				Covers: []string{
					"client-no-cross-as-credentials",
					"client-credentials-keyed-by-issuer",
					"CL-021",
					"CL-023",
				},
			},
			Run: isolationIssuerChange,
		},
		{
			Rule: check.Rule{
				ID:        "client/isolation/registers-anew",
				Level:     check.Must,
				Revisions: since20260728,
				Reference: "MCP 2026-07-28 authorization, Authorization Server Binding",
				Sentence: "A client that registered at one authorization server registers anew at another that the " +
					"metadata names later.",
				Covers: []string{"client-reregisters-on-as-change", "CL-023"},
			},
			Run: judge(lab.Script{OldTokens: 1, Resource: moved(1)}, func(l *lab.Lab) error {
				if len(l.Registrations(lab.Issuer)) == 0 {
					return &check.NotApplicable{Reason: "the client does not register"}
				}
				if len(l.Registrations(lab.Second)) == 0 {
					return l.Mismatch("a registration at the second authorization server", "none")
				}
				return nil
			}),
		},
		{
			Rule: check.Rule{
				ID:        "client/isolation/pre-registered",
				Level:     check.Must,
				Severity:  check.High,
				Revisions: since20260728,
				Reference: "MCP 2026-07-28 authorization, Authorization Server Binding",
				Sentence: "A client ID and secret that were configured for one authorization server are not sent to " +
					"another; the user hears of it.",
				Covers: []string{"client-prereg-mismatch-surfaced", "client-no-cross-as-credentials"},
			},
			Abilities: []bench.Ability{bench.Preregistered},
			Run:       isolationPreRegistered,
		},
		{
			Rule: check.Rule{
				ID:       "client/isolation/two-servers",
				Level:    check.Must,
				Severity: check.Critical,
				Reference: "MCP authorization, Token Handling; " +
					"MCP 2026-07-28 authorization, Authorization Server Binding",
				Sentence: "Of two MCP servers with an authorization server each neither gets anything of the other.",
				Covers: []string{
					"client-token-own-as-only",
					"client-state-per-as",
					"client-credentials-keyed-by-issuer",
					"CL-021",
				},
			},
			Abilities: []bench.Ability{bench.KeepsState},
			Run:       isolationTwoServers,
		},
		{
			Rule: check.Rule{
				ID:        "client/isolation/one-issuer",
				Level:     check.Must,
				Severity:  check.Critical,
				Revisions: since20250618,
				Reference: "RFC 8707 section 2; MCP authorization, Token Handling",
				Sentence: "Of two MCP servers with the same authorization server neither gets a token that was asked " +
					"for with the other's name.",
				Covers: []string{"client-resource-identifies-server", "client-token-own-as-only", "CL-005"},
			},
			Abilities: []bench.Ability{bench.KeepsState},
			Run:       isolationOneIssuer,
		},
		{
			Rule: check.Rule{
				ID:        "client/isolation/accounts",
				Level:     check.Policy,
				Severity:  check.High,
				Reference: "MCP authorization, Token Handling",
				Sentence:  "What one account at a server was granted is not used for another.",
			},
			Abilities: []bench.Ability{bench.KeepsState, bench.Accounts},
			Run:       isolationAccounts,
		},
		{
			Rule: check.Rule{
				ID:        "client/isolation/redirect",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "MCP authorization, Token Theft; RFC 9110 section 15.4",
				Sentence:  "A token does not follow a redirect of the MCP endpoint to another origin.",
				Covers:    []string{"client-token-not-leaked", "CL-020"},
			},
			Run: noHarm(
				lab.Script{},
				redirected,
				func(l *lab.Lab) string {
					for _, token := range l.AccessTokens(l.Authority()) {
						if len(l.Find(func(r *lab.Request) bool {
							return r.Party == lab.Trap &&
								r.Contains(token)
						})) > 0 {
							return "the token came to the other origin"
						}
					}
					return ""
				},
				redirecting(http.StatusMovedPermanently),
				redirecting(http.StatusFound),
				redirecting(http.StatusTemporaryRedirect),
				redirecting(http.StatusPermanentRedirect),
			),
		},
		{
			Rule: check.Rule{
				ID:        "client/isolation/path",
				Level:     check.Policy,
				Severity:  check.High,
				Revisions: since20250618,
				Reference: "RFC 8707 section 2; RFC 9110 section 15.4; MCP authorization, Token Theft",
				Sentence: "A token for a resource with a path does not follow a redirect to another path of the " +
					"origin, which can be another server.",
				Covers: []string{"client-token-not-leaked"},
			},
			Run: noHarm(lab.Script{}, sentToPath, atOtherPath,
				redirectingTo(http.StatusTemporaryRedirect, "/team-b/mcp"),
				redirectingTo(http.StatusPermanentRedirect, "/team-b/mcp"),
				redirectingTo(http.StatusTemporaryRedirect, "/mcp/%2e%2e/team-b/mcp")),
		},
		{
			Rule: check.Rule{
				ID:        "client/isolation/redirected-body",
				Level:     check.Policy,
				Severity:  check.High,
				Reference: "RFC 9110 section 15.4",
				Sentence: "The body of a request does not follow a redirect of the MCP endpoint to another " +
					"origin either.",
				Covers: []string{"CL-020"},
			},
			Run: noHarm(lab.Script{}, redirected, func(l *lab.Lab) string {
				if len(l.Find(func(r *lab.Request) bool {
					return r.Party == lab.Trap &&
						strings.Contains(r.Body, bench.ToolName)
				})) > 0 {
					return "the call came to the other origin"
				}
				return ""
			}, redirecting(http.StatusTemporaryRedirect), redirecting(http.StatusPermanentRedirect)),
		},
		{
			Rule: check.Rule{
				ID:        "client/isolation/token-redirect",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "OAuth 2.1-13 section 1.5; RFC 9700 section 4.12",
				Sentence:  "Codes, verifiers and registrations do not follow a redirect to another origin.",
				Covers:    []string{"CL-022"},
			},
			Run: noHarm(
				lab.Script{},
				redirected,
				func(l *lab.Lab) string {
					if len(l.Find(func(r *lab.Request) bool {
						return r.Party == lab.Trap && (r.Form.Has("code") || r.Form.Has("code_verifier") ||
							r.JSON["redirect_uris"] != nil)
					})) > 0 {
						return "they came to the other origin"
					}
					return ""
				},
				redirectingAt("the token endpoint", lab.Issuer, "/doors/exchange"),
				redirectingAt("the registration endpoint", lab.Issuer, "/doors/enrol"),
			),
		},
		{
			Rule: check.Rule{
				ID:        "client/isolation/elsewhere",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "MCP authorization, Token Theft; MCP 2025-11-25 basic, Icons",
				Sentence: "Tokens and cookies go to the MCP endpoint alone: not with requests for metadata, to the " +
					"authorization server, or for icons.",
				Covers: []string{"client-token-not-leaked", "client-icons-without-credentials"},
			},
			Run: judge(lab.Script{
				OldTokens: 1,
				Tool: func(l *lab.Lab, tool map[string]any) {
					tool["icons"] = []any{
						map[string]any{"src": l.Origin(lab.Server) + "/icon.png", "mimeType": "image/png"},
					}
				},
				Intercept: func(l *lab.Lab, r *lab.Request, w http.ResponseWriter, _ *http.Request) bool {
					if l.AtEndpoint(r) {
						http.SetCookie(w, &http.Cookie{Name: "canary", Value: "canary", Path: "/"})
					}
					return false
				},
			}, func(l *lab.Lab) error {
				for _, token := range l.AccessTokens(l.Authority()) {
					astray := l.Find(func(r *lab.Request) bool { return !l.AtEndpoint(r) && r.Contains(token) })
					if len(astray) > 0 {
						return l.Insecure(
							"the access token at the MCP endpoint alone",
							fmt.Sprintf("it came to the %s, %s", astray[0].Party, astray[0].Path),
						)
					}
				}
				icons := l.Find(func(r *lab.Request) bool {
					return r.Path == "/icon.png" && (r.Header.Get("Cookie") != "" ||
						r.Header.Get("Authorization") != "")
				})
				if len(icons) > 0 {
					return l.Insecure("requests for icons without credentials", "one with them")
				}
				return nil
			}),
		},
	}
}

// isolationIssuerChange tries client/isolation/issuer-change.
func isolationIssuerChange(ctx context.Context, p *bench.Probe) error {
	if _, err := control(ctx, p, lab.Script{Refresh: true, Secrets: "client_secret_post"}); err != nil {
		return err
	}
	for _, refresh := range []bool{false, true} {
		l := try(ctx, p, lab.Script{Refresh: refresh, Secrets: "client_secret_post", OldTokens: 1, Resource: moved(1)})
		if len(l.AccessTokens(lab.Issuer)) == 0 {
			return &check.CannotJudge{
				Reason: "the client did not sign in at the first authorization server",
				Err:    ending(l),
			}
		}
		if what := crossed(l, lab.Issuer, l, lab.Second); what != "" {
			return l.Insecure("nothing of the first authorization server at the second", what)
		}
	}
	return nil
}

// isolationPreRegistered tries client/isolation/pre-registered.
func isolationPreRegistered(ctx context.Context, p *bench.Probe) error {
	configured := preregistered("client-of-old", "configured-secret-of-one-issuer")
	if _, err := control(ctx, p, lab.Script{Secrets: "client_secret_post"}, configured); err != nil {
		return err
	}
	l := try(ctx, p, lab.Script{Secrets: "client_secret_post", OldTokens: 1, Resource: moved(1)}, configured)
	if len(l.AccessTokens(lab.Issuer)) == 0 {
		return &check.CannotJudge{
			Reason: "the client did not sign in at the first authorization server",
			Err:    ending(l),
		}
	}
	astray := l.Find(func(r *lab.Request) bool {
		return r.Party == lab.Second && (r.Contains("client-of-old") || r.Contains("configured-secret-of-one-issuer") ||
			r.Header.Get("Authorization") != "")
	})
	if len(astray) > 0 {
		return l.Insecure(
			"nothing of what was configured at the second authorization server",
			astray[0].Method+" "+astray[0].Path+" with it",
		)
	}
	if !l.Called() && l.Err() == nil && strings.TrimSpace(l.Output()) == "" {
		return &check.Mismatch{Want: "a word to the user", Got: "silence", Level: check.Should}
	}
	return nil
}

// isolationTwoServers tries client/isolation/two-servers.
func isolationTwoServers(ctx context.Context, p *bench.Probe) error {
	script := lab.Script{Revision: p.Revision, Refresh: true}
	labs := []*lab.Lab{lab.New(script), lab.New(script)}
	for _, l := range labs {
		defer l.Close()
	}
	for range 2 {
		for _, l := range labs {
			l.Run(ctx, p)
			if err := completed(ctx, p, l); err != nil {
				return err
			}
			l.Expire()
		}
	}
	for i, l := range labs {
		other := labs[1-i]
		for _, party := range []lab.Party{lab.Server, lab.Issuer} {
			if what := crossed(other, other.Authority(), l, party); what != "" {
				return l.Insecure("nothing of the other server here", what)
			}
		}
	}
	return nil
}

// isolationOneIssuer tries client/isolation/one-issuer.
func isolationOneIssuer(ctx context.Context, p *bench.Probe) error {
	first := lab.New(lab.Script{Revision: p.Revision})
	defer first.Close()
	second := lab.New(lab.Script{Revision: p.Revision, Share: first})
	defer second.Close()
	for _, l := range []*lab.Lab{first, second, first, second} {
		l.Run(ctx, p)
		if err := completed(ctx, p, l); err != nil {
			return err
		}
	}
	for _, l := range []*lab.Lab{first, second} {
		for _, one := range l.Endpoint() {
			if token := one.Bearer(); token != "" && l.Resource(token) != l.URL() {
				return l.Insecure(
					"only tokens for "+l.URL(),
					fmt.Sprintf("one that was asked for with resource %q", l.Resource(token)),
				)
			}
		}
	}
	return nil
}

// isolationAccounts tries client/isolation/accounts.
func isolationAccounts(ctx context.Context, p *bench.Probe) error {
	l := lab.New(lab.Script{Revision: p.Revision, Refresh: true})
	defer l.Close()
	l.Run(ctx, p, account("one"))
	if err := completed(ctx, p, l); err != nil {
		return err
	}
	before := slices.Concat(l.AccessTokens(l.Authority()), l.RefreshTokens(l.Authority()))
	n := len(l.Record())
	l.Run(ctx, p, account("two"))
	for _, one := range l.Record()[n:] {
		if slices.ContainsFunc(before, one.Contains) {
			return l.Insecure(
				"nothing of the first account when the second is in use",
				one.Method+" "+one.Path+" with a token of the first",
			)
		}
	}
	return nil
}

// crossed says what of one lab's authorization server has come to a party of another.
func crossed(from *lab.Lab, issuer lab.Party, to *lab.Lab, party lab.Party) string {
	ids, secrets := from.ClientIDs(issuer)
	for what, texts := range map[string][]string{
		"its client ID":     ids,
		"its client secret": secrets,
		"its access token":  from.AccessTokens(issuer),
		"its refresh token": from.RefreshTokens(issuer),
	} {
		for _, text := range texts {
			if len(to.Find(func(r *lab.Request) bool {
				return r.Party == party &&
					(r.Contains(text) || hasBasic(r, text))
			})) > 0 {
				return what + " came here"
			}
		}
	}
	return ""
}

func hasBasic(r *lab.Request, text string) bool {
	name, password, found := (&http.Request{Header: r.Header}).BasicAuth()
	return found && (name == text || password == text)
}

// redirected reports whether the client was sent to the other origin, and whoever goes there is
// seen: somebody has gone there, and was.
func redirected(l *lab.Lab) bool {
	sent := l.Find(func(r *lab.Request) bool {
		return r.Party != lab.Trap && r.Status/100 == 3 &&
			r.Path != "/doors/in"
	})
	seen := l.Find(func(r *lab.Request) bool { return r.Party == lab.Trap && r.Path == liveControl })
	return len(sent) > 0 && len(seen) > 0
}

// liveControl is where a check itself goes at the other origin.
const liveControl = "/is-anybody-there"

// redirectTo sends a client to the other origin, after a look whether anybody is there.
func redirectTo(l *lab.Lab, w http.ResponseWriter, request *http.Request, path string, status int) {
	l.Look(request.Context(), l.Origin(lab.Trap)+liveControl)
	w.Header().Set("Location", l.Origin(lab.Trap)+path)
	w.WriteHeader(status)
}

func redirecting(status int) variant {
	return variant{
		fmt.Sprintf("a redirect with status %d", status),
		lab.Script{Intercept: func(l *lab.Lab, r *lab.Request, w http.ResponseWriter, request *http.Request) bool {
			if r.RPC != "tools/call" || r.Bearer() == "" {
				return false
			}
			redirectTo(l, w, request, "/mcp", status)
			return true
		}},
	}
}

// redirectingTo is a variant whose MCP endpoint redirects calls to another path of its origin.
func redirectingTo(status int, path string) variant {
	name := fmt.Sprintf("a redirect with status %d to %s", status, path)
	redirect := func(l *lab.Lab, r *lab.Request, w http.ResponseWriter, _ *http.Request) bool {
		if !l.AtEndpoint(r) || r.RPC != "tools/call" || r.Bearer() == "" {
			return false
		}
		w.Header().Set("Location", l.Origin(lab.Server)+path)
		w.WriteHeader(status)
		return true
	}
	return variant{name, lab.Script{Intercept: redirect}}
}

func sentToPath(l *lab.Lab) bool {
	return slices.ContainsFunc(l.Endpoint(), func(r lab.Request) bool { return r.Status/100 == 3 })
}

// atOtherPath is the harm of a token at another path than that of the MCP endpoint.
func atOtherPath(l *lab.Lab) string {
	for _, token := range l.AccessTokens(l.Authority()) {
		other := l.Find(func(r *lab.Request) bool {
			return r.Party == lab.Server && !l.AtEndpoint(r) && r.Contains(token)
		})
		if len(other) > 0 {
			return "the token came to " + other[0].Path
		}
	}
	return ""
}

func redirectingAt(name string, party lab.Party, path string) variant {
	return variant{
		"a redirect at " + name,
		lab.Script{Intercept: func(l *lab.Lab, r *lab.Request, w http.ResponseWriter, request *http.Request) bool {
			if (r.Party != party && r.Party != l.Authority()) || r.Path != path {
				return false
			}
			redirectTo(l, w, request, path, http.StatusTemporaryRedirect)
			return true
		}},
	}
}

func account(name string) func(*bench.Task) { return func(task *bench.Task) { task.Account = name } }
