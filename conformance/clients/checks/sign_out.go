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

// signOutChecks are checks of client/sign-out: the end of a grant (RFC 7009).
func signOutChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "client/sign-out/revokes",
				Level:     check.Policy,
				Severity:  check.Medium,
				Reference: "RFC 7009 section 2.1",
				Sentence:  "At sign-out the refresh token is revoked, and where there is none the access token.",
			},
			Abilities: []bench.Ability{bench.SignsOut},
			Run:       signOutRevokes,
		},
		{
			Rule: check.Rule{
				ID:        "client/sign-out/authenticated",
				Level:     check.Must,
				Reference: "RFC 7009 section 2.1; OAuth 2.1-13 section 2.4",
				Sentence: "A request for revocation says which client it is from, and authenticates as the token " +
					"requests of that client do.",
			},
			Abilities: []bench.Ability{bench.SignsOut},
			Run:       signOutAuthenticated,
		},
		{
			Rule: check.Rule{
				ID:        "client/sign-out/confidential",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "RFC 7009 section 2; RFC 6750 section 5.3",
				Sentence: "What is revoked is in the body of the request to the revocation endpoint alone: in no " +
					"address, and not where a redirect of it leads.",
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
				Sentence: "After a sign-out nothing of the grant is used again, whether the authorization server " +
					"could be told of it or not.",
			},
			Abilities: append([]bench.Ability{bench.KeepsState}, []bench.Ability{bench.SignsOut}...),
			Run:       signOutForgotten,
		},
		{
			Rule: check.Rule{
				ID:        "client/sign-out/outage",
				Level:     check.Policy,
				Severity:  check.Medium,
				Reference: "RFC 7009 section 2.2.1",
				Sentence: "When the authorization server could not be told of a sign-out the person hears of it: the " +
					"grant is still there.",
			},
			Abilities: []bench.Ability{bench.SignsOut},
			Run:       signOutOutage,
		},
	}
}

// signOutRevokes tries client/sign-out/revokes.
func signOutRevokes(ctx context.Context, p *bench.Probe) error {
	for _, refresh := range []bool{true, false} {
		l, err := control(ctx, p, lab.Script{Refresh: refresh}, signOut)
		if err != nil {
			return err
		}
		want := l.RefreshTokens(l.Authority())
		what := "the refresh token"
		if !refresh {
			want = l.AccessTokens(l.Authority())
			what = "the access token"
		}
		if !slices.ContainsFunc(
			l.Revocations(l.Authority()),
			func(r lab.Request) bool { return slices.Contains(want, r.Form.Get("token")) },
		) {
			return l.Mismatch(
				what+" at the revocation endpoint",
				fmt.Sprintf("%d requests there without it", len(l.Revocations(l.Authority()))),
			)
		}
	}
	return nil
}

// signOutAuthenticated tries client/sign-out/authenticated.
func signOutAuthenticated(ctx context.Context, p *bench.Probe) error {
	for _, method := range []string{"none", "client_secret_basic", "client_secret_post"} {
		script := lab.Script{Refresh: true, Secrets: method}
		if method == "none" {
			script.Secrets = ""
		}
		l, err := control(ctx, p, script, signOut)
		if err != nil {
			return err
		}
		made := l.Revocations(l.Authority())
		if len(made) == 0 {
			return &check.NotApplicable{Reason: "the client does not revoke"}
		}
		if err := authenticated(l, made[0], method); err != nil {
			return named(method, err)
		}
	}
	return nil
}

// signOutConfidential tries client/sign-out/confidential.
func signOutConfidential(ctx context.Context, p *bench.Probe) error {
	if _, err := control(ctx, p, lab.Script{Refresh: true}, signOut); err != nil {
		return err
	}
	script := redirectingAt("the revocation endpoint", lab.Issuer, "/doors/out").script
	script.Refresh = true
	l := try(ctx, p, script, signOut)
	for _, token := range slices.Concat(l.AccessTokens(l.Authority()), l.RefreshTokens(l.Authority())) {
		if astray := l.Find(func(r *lab.Request) bool {
			return r.Party == lab.Trap && r.Contains(token) ||
				r.Form.Has("token") && strings.Contains(r.Query.Encode(), url.QueryEscape(token))
		}); len(astray) > 0 {
			return l.Insecure(
				"the token in the body at the revocation endpoint alone",
				fmt.Sprintf("it came to the %s, %s", astray[0].Party, astray[0].Path),
			)
		}
	}
	switch {
	case len(l.Revocations(l.Authority())) == 0:
		return &check.NotApplicable{Reason: "the client does not revoke"}
	case !redirected(l):
		return &check.CannotJudge{Reason: "the client did not come as far as the redirect", Err: ending(l)}
	}
	return nil
}

// signOutForgotten tries client/sign-out/forgotten.
func signOutForgotten(ctx context.Context, p *bench.Probe) error {
	for _, status := range []int{http.StatusOK, http.StatusServiceUnavailable} {
		if err := forgotten(ctx, p, status); err != nil {
			return named(fmt.Sprintf("status %d from the revocation endpoint", status), err)
		}
	}
	return nil
}

// signOutOutage tries client/sign-out/outage.
func signOutOutage(ctx context.Context, p *bench.Probe) error {
	if _, err := control(ctx, p, lab.Script{Refresh: true}, signOut); err != nil {
		return err
	}
	l := try(ctx, p, lab.Script{Refresh: true, Revocation: http.StatusServiceUnavailable}, signOut)
	switch {
	case len(l.Revocations(l.Authority())) == 0:
		return &check.NotApplicable{Reason: "the client does not revoke"}
	case l.Err() == nil:
		return l.Mismatch("an error that says so", "none")
	}
	return nil
}

func signOut(task *bench.Task) { task.SignOut = true }

// authenticated wants a request of the client that has registered, by the method that it was
// registered with.
func authenticated(l *lab.Lab, r lab.Request, method string) error {
	ids, secrets := l.ClientIDs(l.Authority())
	name, password, basic := (&http.Request{Header: r.Header}).BasicAuth()
	named := slices.Contains(ids, r.Form.Get("client_id")) || !triedToRegister(l) && r.Form.Get("client_id") != ""
	switch {
	case method == "none" && !named:
		return l.Mismatch("client_id", fmt.Sprintf("%q", r.Form.Get("client_id")))
	case method == "client_secret_basic" && !(basic && slices.Contains(ids, name) &&
		slices.Contains(secrets, password)):
		return l.Mismatch("the client ID and the secret in the Authorization header", "something else")
	case method == "client_secret_post" && !(named && slices.Contains(secrets, r.Form.Get("client_secret"))):
		return l.Mismatch("the client ID and the secret in the form", "something else")
	}
	return nil
}

// forgotten has the person sign out and come back.
func forgotten(ctx context.Context, p *bench.Probe, status int) error {
	l := lab.New(lab.Script{Revision: p.Revision, Refresh: true, Revocation: status})
	defer l.Close()
	l.Run(ctx, p)
	if err := completed(ctx, p, l); err != nil {
		return err
	}
	l.Run(ctx, p, signOut)
	signIns := len(l.Authorizations(l.Authority()))
	n := len(l.Record())
	old := slices.Concat(l.AccessTokens(l.Authority()), l.RefreshTokens(l.Authority()))
	l.Run(ctx, p)
	for _, one := range l.Record()[n:] {
		if slices.ContainsFunc(old, one.Contains) {
			return l.Insecure("nothing of the grant after the sign-out", one.Method+" "+one.Path+" with a token of it")
		}
	}
	if len(l.Authorizations(l.Authority())) == signIns {
		return l.Mismatch("a new sign-in after the sign-out", fmt.Sprintf("none: %v", ending(l)))
	}
	return nil
}
