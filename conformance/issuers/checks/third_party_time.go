package checks

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"mcpentra/conformance/check"
	"mcpentra/conformance/issuers/internal/bench"
	"mcpentra/conformance/issuers/rig"
)

// thirdPartyTimeChecks returns the checks of authorization-server/third-party about third parties
// that hang, that never end, that change, and that end a grant.
func thirdPartyTimeChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:         "authorization-server/third-party/hang",
				Level:      check.Policy,
				Severity:   check.Medium,
				Disruptive: true,
				Reference:  "CWE-1088; OWASP ASVS 5.0 V13.1.3",
				Sentence:   "A third party that gives no answer does not hold a sign-in for more than 15 seconds.",
				Covers:     []string{"AS-045"},
			},
			Needs: []bench.Need{bench.Scripted, bench.ThirdParty},
			Run:   thirdPartyHang,
		},
		{
			Rule: check.Rule{
				ID:         "authorization-server/third-party/bounded",
				Level:      check.Policy,
				Severity:   check.Medium,
				Disruptive: true,
				Reference:  "CWE-770",
				Sentence:   "A token response of 20 MB of the third party is refused.",
				Covers:     []string{"AS-045"},
			},
			Needs: []bench.Need{bench.Scripted, bench.ThirdParty},
			Run:   thirdPartyBounded,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/third-party/metadata",
				Level:     check.Must,
				Severity:  check.High,
				Reference: "OpenID Connect Discovery section 4.3; RFC 8414 section 3.3",
				Sentence:  "Metadata of the third party that names another issuer is not used.",
				Covers:    []string{"AS-046"},
			},
			Needs: []bench.Need{bench.Scripted, bench.Fixture},
			Run:   thirdPartyMetadata,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/third-party/session",
				Level:     check.Must,
				Severity:  check.Medium,
				Reference: "MCP 2025-03-26 authorization, Third-Party Authorization Flow",
				Sentence:  "A sign-in that waits at the third party for a day gives no code.",
				Covers:    []string{"AS-040", "server-proxy-state-validated", "server-thirdparty-session-timeout"},
			},
			Needs: []bench.Need{bench.Scripted, bench.Clock},
			Run:   thirdPartySession,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/third-party/ended",
				Level:     check.Must,
				Severity:  check.High,
				Revisions: []check.Revision{check.R20250326},
				Reference: "MCP 2025-03-26 authorization, Session Binding Requirements",
				Sentence:  "A refresh fails when the third party has ended the grant.",
				Covers: []string{
					"AS-055",
					"server-thirdparty-status-checked",
					"server-thirdparty-renewal",
				},
			},
			Needs: []bench.Need{bench.Scripted, bench.ThirdParty, bench.Clock},
			Run:   thirdPartyEnded,
		},
	}
}

// patience is how long a token endpoint of the third party hangs.
const patience = 15 * time.Second

// thirdPartyHang tries authorization-server/third-party/hang.
func thirdPartyHang(ctx context.Context, p *bench.Probe) error {
	t, err := newRigged(ctx, p)
	if err != nil {
		return err
	}
	waited := make(chan struct{})
	hang := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-time.After(patience):
			close(waited)
			panic(http.ErrAbortHandler)
		}
	})
	made, err := t.changed(ctx, rig.Change{Token: hang})
	if err != nil {
		return err
	}
	select {
	case <-waited:
		return p.Mismatch("an answer within "+patience.String(), made.String()+" later")
	default:
		return nil
	}
}

// thirdPartyBounded tries authorization-server/third-party/bounded.
func thirdPartyBounded(ctx context.Context, p *bench.Probe) error {
	t, err := newRigged(ctx, p)
	if err != nil {
		return err
	}
	gives, err := t.rigged(ctx, rig.Change{Padding: endless})
	if err != nil || !gives {
		return err
	}
	ignores, err := t.rigged(ctx, failing(http.StatusInternalServerError, "internal error"))
	switch {
	case err != nil:
		return err
	case ignores:
		return &check.Skipped{
			Of:     "authorization-server/third-party/token-response",
			Reason: "the server gives tokens although the token request fails",
		}
	}
	return p.Mismatch("no tokens after a token response of 20 MB", "tokens")
}

// thirdPartyMetadata tries authorization-server/third-party/metadata. Each server reads the
// metadata of a third party of its own. A server that does not start has refused it.
func thirdPartyMetadata(ctx context.Context, p *bench.Probe) error {
	if _, err := newRigged(ctx, p); err != nil {
		return err
	}
	gives, err := signsInAt(ctx, p, func(string) string { return "" })
	switch {
	case err != nil:
		return err
	case !gives:
		return &check.CannotJudge{Reason: "the control failed: a server that was started gives no tokens"}
	}
	var found []*check.Mismatch
	for name, issuer := range map[string]func(string) string{
		"https://mcp-auth-conformance.example": func(string) string { return "https://mcp-auth-conformance.example" },
		"a path below":                         func(issuer string) string { return issuer + "/other" },
	} {
		gives, err := signsInAt(ctx, p, issuer)
		if err != nil {
			return err
		}
		if gives {
			found = append(found, p.Insecure("no tokens if the metadata names another issuer: "+name, "tokens"))
		}
	}
	return bench.All(found...)
}

// signsInAt starts a server with a third party whose metadata names another issuer, unless that is
// empty. It reports whether a person can sign in.
func signsInAt(ctx context.Context, p *bench.Probe, issuer func(own string) string) (bool, error) {
	provider, err := p.Target().Upstream.Another()
	if err != nil {
		return false, &check.CannotJudge{Reason: "a third party cannot be started", Err: err}
	}
	defer provider.Close()
	isChanged := issuer("https://own.example") != ""
	if isChanged {
		provider.Rename(issuer)
	}
	started, err := p.Target().Start(ctx, provider.URL)
	switch {
	case err != nil && isChanged:
		return false, nil
	case err != nil:
		return false, &check.CannotJudge{Reason: "a server cannot be started", Err: err}
	}
	if started.Close != nil {
		defer started.Close()
	}
	at := p.At(started.Target)
	defer at.Close()
	client, err := at.Public(ctx)
	if err != nil {
		return false, err
	}
	made, err := at.Authorize(ctx, client)
	if err != nil || made.Code() == "" {
		return false, err
	}
	_, tokens, err := at.Redeem(ctx, made)
	return tokens != nil, err
}

// aDay is longer than any sign-in may wait.
const aDay = 24 * time.Hour

// thirdPartySession tries authorization-server/third-party/session.
func thirdPartySession(ctx context.Context, p *bench.Probe) error {
	t, err := newThirdParty(ctx, p)
	if err != nil {
		return err
	}
	browser := p.NewBrowser()
	waited := false
	browser.Tamper = func(request *http.Request, _ url.Values) *http.Response {
		if t.isRequest(request) && !waited {
			waited = true
			p.Target().Advance(aDay)
		}
		return nil
	}
	made, err := p.AuthorizeAs(ctx, bench.Visitor{Browser: browser}, t.client)
	switch {
	case err != nil:
		return err
	case !waited:
		return &check.CannotJudge{Reason: "the second sign-in does not reach the third party"}
	case made.Code() != "":
		return p.Insecure("no code for a sign-in that has waited for a day", made.String())
	}
	return nil
}

// thirdPartyEnded tries authorization-server/third-party/ended. A server that refreshes nothing at
// the third party cannot know.
func thirdPartyEnded(ctx context.Context, p *bench.Probe) error {
	t, err := newRigged(ctx, p)
	if err != nil {
		return err
	}
	upstream := p.Target().Upstream
	var codes, refreshes [2]string
	for i := range codes {
		made, err := t.withCallback(ctx, func(query url.Values) { codes[i] = query.Get("code") })
		if err != nil {
			return err
		}
		tokens, err := p.Redeemed(ctx, made)
		if err != nil {
			return err
		}
		if tokens.Refresh == "" {
			return &check.NotApplicable{Reason: "the client gets no refresh token"}
		}
		refreshes[i] = tokens.Refresh
	}
	upstream.End(codes[1])
	p.Target().Advance(2 * time.Hour)
	answer, kept, err := p.Refresh(ctx, t.client, refreshes[0])
	if err != nil {
		return err
	}
	used, _ := upstream.SignIn(codes[0])
	switch {
	case kept == nil:
		return &check.NotApplicable{Reason: "a refresh after two hours gets " + answer.String()}
	case len(used.Tokens) <= 2:
		return &check.NotApplicable{Reason: "the server refreshes nothing at the third party"}
	}
	_, stale, err := p.Refresh(ctx, t.client, refreshes[1])
	if err == nil && stale != nil {
		return p.Insecure("no tokens when the third party has ended the grant", "tokens")
	}
	return err
}
