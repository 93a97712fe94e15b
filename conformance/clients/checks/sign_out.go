package checks

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/clients/internal/bench"
	"mcpentra/conformance/clients/internal/lab"
)

// signOutChecks are checks of client/sign-out: the revocation of a grant (RFC 7009).
func signOutChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "client/sign-out/revokes",
				Level:     check.Policy,
				Severity:  check.Medium,
				Reference: "RFC 7009 section 2.1",
				Sentence: "At sign-out the client revokes the refresh token, or the access token if there is " +
					"no refresh token.",
			},
			Abilities: []bench.Ability{bench.SignsOut},
			Run:       signOutRevokes,
		},
		{
			Rule: check.Rule{
				ID:        "client/sign-out/authenticated",
				Level:     check.Must,
				Reference: "RFC 7009 section 2.1; OAuth 2.1-13 section 2.4",
				Sentence: "A revocation request names the client, and authenticates like the token requests " +
					"of that client.",
			},
			Abilities: []bench.Ability{bench.SignsOut},
			Needs:     []bench.Need{bench.Secret},
			Run:       signOutAuthenticated,
		},
		{
			Rule: check.Rule{
				ID:        "client/sign-out/confidential",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "RFC 7009 section 2; RFC 6750 section 5.3",
				Sentence: "The token is only in the body of the request to the revocation endpoint: not in a " +
					"URL, and not at the target of a redirect.",
			},
			Abilities: []bench.Ability{bench.SignsOut},
			Run:       signOutConfidential,
		},
		{
			Rule: check.Rule{
				ID:        "client/sign-out/forgotten",
				Level:     check.Policy,
				Severity:  check.High,
				Reference: "RFC 7009 section 2",
				Sentence: "After a sign-out the client uses nothing of the grant again, even if the " +
					"revocation failed.",
			},
			Abilities: []bench.Ability{bench.KeepsState, bench.SignsOut},
			Needs:     []bench.Need{bench.Connecting},
			Run:       signOutForgotten,
		},
		{
			Rule: check.Rule{
				ID:        "client/sign-out/outage",
				Level:     check.Policy,
				Severity:  check.Medium,
				Reference: "RFC 7009 section 2.2.1",
				Sentence:  "If the revocation fails, the client tells the person, because the grant still exists.",
			},
			Abilities: []bench.Ability{bench.SignsOut},
			Run:       signOutOutage,
		},
	}
}

// signOutRevokes tries client/sign-out/revokes.
func signOutRevokes(ctx context.Context, p *bench.Probe) error {
	for _, refresh := range []bool{true, false} {
		l, err := completeTask(ctx, p, lab.Script{Refresh: refresh}, signOut)
		if err != nil {
			return err
		}
		want := l.RefreshTokens(l.Authority())
		what := "the refresh token"
		if !refresh {
			want = l.AccessTokens(l.Authority())
			what = "the access token"
		}
		made := l.Revocations(l.Authority())
		revokes := func(r lab.Request) bool { return slices.Contains(want, r.Form.Get("token")) }
		if !slices.ContainsFunc(made, revokes) {
			return l.Mismatch(
				what+" at the revocation endpoint",
				fmt.Sprintf("%d requests there without it", len(made)),
			)
		}
	}
	return nil
}

// signOutAuthenticated tries client/sign-out/authenticated.
func signOutAuthenticated(ctx context.Context, p *bench.Probe) error {
	for _, method := range []string{"none", "client_secret_basic", "client_secret_post"} {
		script := lab.Script{Refresh: true, AuthMethod: method}
		if method == "none" {
			script.AuthMethod = ""
		}
		l, err := completeTask(ctx, p, script, signOut)
		if err != nil {
			return err
		}
		made := l.Revocations(l.Authority())
		if len(made) == 0 {
			return &check.NotApplicable{Reason: "the client does not revoke"}
		}
		if err := wantAuthentication(l, made[0], method); err != nil {
			return inVariant(method, err)
		}
	}
	return nil
}

// signOutConfidential tries client/sign-out/confidential.
func signOutConfidential(ctx context.Context, p *bench.Probe) error {
	if _, err := completeTask(ctx, p, lab.Script{Refresh: true}, signOut); err != nil {
		return err
	}
	script := redirectEndpoint("the revocation endpoint", lab.Issuer, "/doors/out").script
	script.Refresh = true
	l := runClient(ctx, p, script, signOut)
	for _, token := range slices.Concat(l.AccessTokens(l.Authority()), l.RefreshTokens(l.Authority())) {
		leaks := l.Find(func(r *lab.Request) bool {
			inQuery := strings.Contains(r.Query.Encode(), url.QueryEscape(token))
			return r.Party == lab.Trap && r.Contains(token) || r.Form.Has("token") && inQuery
		})
		if len(leaks) > 0 {
			return l.Insecure(
				"the token only in the body at the revocation endpoint",
				fmt.Sprintf("it was sent to the %s, %s", leaks[0].Party, leaks[0].Path),
			)
		}
	}
	switch {
	case len(l.Revocations(l.Authority())) == 0:
		return &check.NotApplicable{Reason: "the client does not revoke"}
	case !redirectedToTrap(l):
		return &check.CannotJudge{Reason: "the client did not reach the redirect", Err: ending(l)}
	}
	return nil
}

// signOutForgotten tries client/sign-out/forgotten.
func signOutForgotten(ctx context.Context, p *bench.Probe) error {
	for _, status := range []int{http.StatusOK, http.StatusServiceUnavailable} {
		if err := signOutAndReturn(ctx, p, status); err != nil {
			return inVariant(fmt.Sprintf("status %d from the revocation endpoint", status), err)
		}
	}
	return nil
}

// signOutOutage tries client/sign-out/outage.
func signOutOutage(ctx context.Context, p *bench.Probe) error {
	if _, err := completeTask(ctx, p, lab.Script{Refresh: true}, signOut); err != nil {
		return err
	}
	l := runClient(ctx, p, lab.Script{Refresh: true, Revocation: http.StatusServiceUnavailable}, signOut)
	switch {
	case len(l.Revocations(l.Authority())) == 0:
		return &check.NotApplicable{Reason: "the client does not revoke"}
	case l.Err() == nil:
		return l.Mismatch("an error that reports the failed revocation", "none")
	}
	return nil
}

// signOut makes the person sign out at the end.
func signOut(task *bench.Task) { task.SignOut = true }

// wantAuthentication wants a request that names the registered client and authenticates by this
// method.
func wantAuthentication(l *lab.Lab, r lab.Request, method string) error {
	ids, secrets := l.ClientIDs(l.Authority())
	name, password, basic := (&http.Request{Header: r.Header}).BasicAuth()
	id := r.Form.Get("client_id")
	identified := slices.Contains(ids, id) || !triedToRegister(l) && id != ""
	basic = basic && slices.Contains(ids, name) && slices.Contains(secrets, password)
	posted := identified && slices.Contains(secrets, r.Form.Get("client_secret"))
	switch {
	case method == "none" && !identified:
		return l.Mismatch("client_id", fmt.Sprintf("%q", id))
	case method == "client_secret_basic" && !basic:
		return l.Mismatch("the client ID and the secret in the Authorization header", "something else")
	case method == "client_secret_post" && !posted:
		return l.Mismatch("the client ID and the secret in the form", "something else")
	}
	return nil
}

// signOutAndReturn runs the client, signs out, and runs it again. The revocation endpoint answers
// with this status.
func signOutAndReturn(ctx context.Context, p *bench.Probe, status int) error {
	l := lab.New(lab.Script{Revision: p.Revision, Refresh: true, Revocation: status})
	defer l.Close()
	l.Run(ctx, p)
	if err := wantCompleted(ctx, p, l); err != nil {
		return err
	}
	l.Run(ctx, p, signOut)
	signIns := len(l.Authorizations(l.Authority()))
	n := len(l.Record())
	old := slices.Concat(l.AccessTokens(l.Authority()), l.RefreshTokens(l.Authority()))
	l.Run(ctx, p)
	for _, request := range l.Record()[n:] {
		if slices.ContainsFunc(old, request.Contains) {
			return l.Insecure(
				"no token of the grant after the sign-out",
				request.Method+" "+request.Path+" with a token of it",
			)
		}
	}
	if len(l.Authorizations(l.Authority())) == signIns {
		return l.Mismatch("a new sign-in after the sign-out", fmt.Sprintf("none: %v", ending(l)))
	}
	return nil
}
