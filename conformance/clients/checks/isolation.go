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
	"mcpentra/conformance/internal/inputs"
)

// isolationChecks are checks of client/isolation: credentials of one server never reach another
// (MCP 2026-07-28, Authorization Server Binding; Security Best Practices).
func isolationChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "client/isolation/issuer-change",
				Level:     check.Must,
				Severity:  check.Critical,
				Revisions: since20260728,
				Reference: "MCP 2026-07-28 authorization, Authorization Server Binding",
				Sentence: "Client IDs, secrets and tokens of one authorization server are not sent to " +
					"another that the metadata names later.",
				Covers: []string{
					"client-no-cross-as-credentials",
					"client-credentials-keyed-by-issuer",
					"CL-021",
					"CL-023",
				},
			},
			Needs: []bench.Need{bench.Calling},
			Run:   isolationIssuerChange,
		},
		{
			Rule: check.Rule{
				ID:        "client/isolation/registers-anew",
				Level:     check.Must,
				Revisions: since20260728,
				Reference: "MCP 2026-07-28 authorization, Authorization Server Binding",
				Sentence: "A client that registered at one authorization server registers again at another " +
					"that the metadata names later.",
				Covers: []string{"client-reregisters-on-as-change", "CL-023"},
			},
			Needs: []bench.Need{bench.Calling, bench.Registering},
			Run:   judgeAfter(lab.Script{ExpiredTokens: 1}, movesIssuer(), wantSecondRegistration),
		},
		{
			Rule: check.Rule{
				ID:        "client/isolation/pre-registered",
				Level:     check.Must,
				Severity:  check.High,
				Revisions: since20260728,
				Reference: "MCP 2026-07-28 authorization, Authorization Server Binding",
				Sentence: "A client ID and secret that were configured for one authorization server are not " +
					"sent to another. The client tells the user.",
				Covers: []string{"client-prereg-mismatch-surfaced", "client-no-cross-as-credentials"},
			},
			Abilities: []bench.Ability{bench.Preregistered},
			Needs:     []bench.Need{bench.Calling},
			Run:       isolationPreRegistered,
		},
		{
			Rule: check.Rule{
				ID:       "client/isolation/two-servers",
				Level:    check.Must,
				Severity: check.Critical,
				Reference: "MCP authorization, Token Handling; " +
					"MCP 2026-07-28 authorization, Authorization Server Binding",
				Sentence: "With two MCP servers that have an authorization server each, neither gets " +
					"credentials of the other.",
				Covers: []string{
					"client-token-own-as-only",
					"client-state-per-as",
					"client-credentials-keyed-by-issuer",
					"CL-021",
				},
			},
			Abilities: []bench.Ability{bench.KeepsState},
			Needs:     []bench.Need{bench.Connecting},
			Run:       isolationTwoServers,
		},
		{
			Rule: check.Rule{
				ID:        "client/isolation/one-issuer",
				Level:     check.Must,
				Severity:  check.Critical,
				Revisions: since20250618,
				Reference: "RFC 8707 section 2; MCP authorization, Token Handling",
				Sentence: "With two MCP servers that share an authorization server, neither gets a token " +
					"that was requested for the other.",
				Covers: []string{"client-resource-identifies-server", "client-token-own-as-only", "CL-005"},
			},
			Abilities: []bench.Ability{bench.KeepsState},
			Needs:     []bench.Need{bench.Connecting},
			Run:       isolationOneIssuer,
		},
		{
			Rule: check.Rule{
				ID:        "client/isolation/accounts",
				Level:     check.Policy,
				Severity:  check.High,
				Reference: "MCP authorization, Token Handling",
				Sentence:  "A grant of one account at a server is not used for another account.",
			},
			Abilities: []bench.Ability{bench.KeepsState, bench.Accounts},
			Needs:     []bench.Need{bench.Connecting},
			Run:       isolationAccounts,
		},
		{
			Rule: check.Rule{
				ID:        "client/isolation/elsewhere",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "MCP authorization, Token Theft; MCP 2025-11-25 basic, Icons",
				Sentence: "Tokens and cookies go to the MCP endpoint only: not with requests for icons, and not to " +
					"the authorization server. For other paths of the server this is a policy.",
				Covers: []string{"client-token-not-leaked", "client-icons-without-credentials"},
			},
			Needs: []bench.Need{bench.Calling},
			Run: judge(
				lab.Script{ExpiredTokens: 1, Tool: addIcon, Intercept: setCookie},
				wantCredentialsAtEndpoint,
			),
		},
	}
}

// wantSecondRegistration wants a registration at the second authorization server.
func wantSecondRegistration(l *lab.Lab) error {
	if len(l.Registrations(lab.Issuer)) == 0 {
		return &check.NotApplicable{Reason: "the client does not register"}
	}
	if len(l.Registrations(lab.Second)) == 0 {
		return l.Mismatch("a registration at the second authorization server", "none")
	}
	return nil
}

// addIcon gives the tool an icon at the MCP server.
func addIcon(l *lab.Lab, tool map[string]any) {
	icon := map[string]any{"src": l.Origin(lab.Server) + "/icon.png", "mimeType": "image/png"}
	tool["icons"] = []any{icon}
}

// setCookie sets a cookie with each answer of the MCP endpoint.
func setCookie(l *lab.Lab, r *lab.Request, w http.ResponseWriter, _ *http.Request) bool {
	if l.AtEndpoint(r) {
		http.SetCookie(w, &http.Cookie{Name: "canary", Value: "canary", Path: "/"})
	}
	return false
}

// wantCredentialsAtEndpoint wants tokens and cookies at the MCP endpoint only.
func wantCredentialsAtEndpoint(l *lab.Lab) error {
	for _, token := range l.AccessTokens(l.Authority()) {
		leaks := l.Find(func(r *lab.Request) bool {
			revokes := r.Party == l.Authority() && r.Form.Get("token") == token // RFC 7009
			return !l.AtEndpoint(r) && !revokes && r.Contains(token)
		})
		isGrave := func(r lab.Request) bool { return r.Party != lab.Server || r.Path == "/icon.png" }
		if len(leaks) == 0 {
			continue
		}
		worst := max(0, slices.IndexFunc(leaks, isGrave))
		err := l.Insecure(
			"the access token at the MCP endpoint only",
			fmt.Sprintf("it was sent to the %s, %s", leaks[worst].Party, leaks[worst].Path),
		)
		if !isGrave(leaks[worst]) {
			return inputs.Graded(err, check.Policy, check.Low)
		}
		return err
	}
	holdsCredential := func(r *lab.Request) bool {
		return r.Header.Get("Cookie") != "" || r.Header.Get("Authorization") != ""
	}
	if l.Saw(func(r *lab.Request) bool { return r.Path == "/icon.png" && holdsCredential(r) }) {
		return l.Insecure("requests for icons without credentials", "one with them")
	}
	return nil
}

// isolationIssuerChange tries client/isolation/issuer-change.
func isolationIssuerChange(ctx context.Context, p *bench.Probe) error {
	if _, err := completeTask(ctx, p, lab.Script{Refresh: true, AuthMethod: "client_secret_post"}); err != nil {
		return err
	}
	for _, refresh := range []bool{false, true} {
		l := runClient(ctx, p, lab.Script{
			Refresh:       refresh,
			AuthMethod:    "client_secret_post",
			ExpiredTokens: 1,
			Resource:      moveIssuerAfter(1),
		})
		if len(l.AccessTokens(lab.Issuer)) == 0 {
			return noFirstSignIn(l)
		}
		if what := leakedTo(l, lab.Issuer, l, lab.Second); what != "" {
			return l.Insecure("no credential of the first authorization server at the second", what)
		}
	}
	return nil
}

func noFirstSignIn(l *lab.Lab) error {
	return &check.CannotJudge{
		Reason: "the client did not sign in at the first authorization server",
		Err:    ending(l),
	}
}

// isolationPreRegistered tries client/isolation/pre-registered.
func isolationPreRegistered(ctx context.Context, p *bench.Probe) error {
	const id, secret = "client-of-old", "configured-secret-of-one-issuer"
	configured := withClientID(id, secret)
	if _, err := completeTask(ctx, p, lab.Script{AuthMethod: "client_secret_post"}, configured); err != nil {
		return err
	}
	script := lab.Script{AuthMethod: "client_secret_post", ExpiredTokens: 1, Resource: moveIssuerAfter(1)}
	l := runClient(ctx, p, script, configured)
	if len(l.AccessTokens(lab.Issuer)) == 0 {
		return noFirstSignIn(l)
	}
	holdsCredential := func(r *lab.Request) bool {
		return r.Contains(id) || r.Contains(secret) || r.Header.Get("Authorization") != ""
	}
	leaks := l.Find(func(r *lab.Request) bool { return r.Party == lab.Second && holdsCredential(r) })
	if len(leaks) > 0 {
		return l.Insecure(
			"no configured credential at the second authorization server",
			leaks[0].Method+" "+leaks[0].Path+" with it",
		)
	}
	if !l.Called() && l.Err() == nil && strings.TrimSpace(l.Output()) == "" {
		return &check.Mismatch{Want: "a message to the user", Got: "no output", Level: check.Should}
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
			if err := wantCompleted(ctx, p, l); err != nil {
				return err
			}
			l.Expire()
		}
	}
	for i, l := range labs {
		other := labs[1-i]
		for _, party := range []lab.Party{lab.Server, lab.Issuer} {
			if what := leakedTo(other, other.Authority(), l, party); what != "" {
				return l.Insecure("no credential of the other server here", what)
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
		if err := wantCompleted(ctx, p, l); err != nil {
			return err
		}
	}
	for _, l := range []*lab.Lab{first, second} {
		for _, request := range l.Endpoint() {
			if token := request.Bearer(); token != "" && l.Resource(token) != l.URL() {
				return l.Insecure(
					"only tokens for "+l.URL(),
					fmt.Sprintf("one that was requested with resource %q", l.Resource(token)),
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
	l.Run(ctx, p, withAccount("one"))
	if err := wantCompleted(ctx, p, l); err != nil {
		return err
	}
	before := slices.Concat(l.AccessTokens(l.Authority()), l.RefreshTokens(l.Authority()))
	n := len(l.Record())
	l.Run(ctx, p, withAccount("two"))
	for _, request := range l.Record()[n:] {
		if slices.ContainsFunc(before, request.Contains) {
			return l.Insecure(
				"no token of the first account while the second is in use",
				request.Method+" "+request.Path+" with a token of the first",
			)
		}
	}
	return nil
}

// leakedTo returns a description of a credential from one lab's authorization server that reached a
// party of another lab, or "".
func leakedTo(from *lab.Lab, issuer lab.Party, to *lab.Lab, party lab.Party) string {
	ids, secrets := from.ClientIDs(issuer)
	for what, texts := range map[string][]string{
		"its client ID":     ids,
		"its client secret": secrets,
		"its access token":  from.AccessTokens(issuer),
		"its refresh token": from.RefreshTokens(issuer),
	} {
		for _, text := range texts {
			holdsText := func(r *lab.Request) bool { return r.Contains(text) || hasBasic(r, text) }
			if to.Saw(func(r *lab.Request) bool { return r.Party == party && holdsText(r) }) {
				return what + " came here"
			}
		}
	}
	return ""
}

// hasBasic reports whether a text is the ID or the secret of HTTP Basic authentication.
func hasBasic(r *lab.Request, text string) bool {
	name, password, found := (&http.Request{Header: r.Header}).BasicAuth()
	return found && (name == text || password == text)
}

// withAccount names the account that the client uses.
func withAccount(name string) func(*bench.Task) {
	return func(task *bench.Task) { task.Account = name }
}
