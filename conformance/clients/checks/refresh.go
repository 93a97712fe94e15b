package checks

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"

	"mcpentra/conformance/check"
	"mcpentra/conformance/clients/internal/bench"
	"mcpentra/conformance/clients/internal/lab"
)

// refreshChecks are checks of client/refresh (OAuth 2.1 section 4.3; MCP 2026-07-28, Refresh
// Tokens).
func refreshChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "client/refresh/not-assumed",
				Level:     check.Must,
				Reference: "MCP 2026-07-28 authorization, Refresh Tokens",
				Sentence: "Without a refresh token a client with an expired token signs in again or reports " +
					"an error. It sends no refresh request.",
				Covers: []string{"client-refresh-not-assumed", "client-refresh-on-expiry"},
			},
			Needs: []bench.Need{bench.Calling},
			Run: noHarm(
				lab.Script{},
				requestedToken,
				refreshed,
				variant{"an expired token", lab.Script{ExpiredTokens: 1}},
			),
		},
		{
			Rule: check.Rule{
				ID:        "client/refresh/rotation",
				Level:     check.Must,
				Severity:  check.Medium,
				Reference: "OAuth 2.1-13 section 4.3.1; MCP authorization, Token Theft",
				Sentence:  "A new refresh token replaces the old one, which is not used again.",
				Covers:    []string{"client-refresh-rotation-followed", "client-refresh-on-expiry"},
			},
			Abilities: []bench.Ability{bench.KeepsState},
			Needs:     []bench.Need{bench.Connecting},
			Run:       refreshRotation,
		},
		{
			Rule: check.Rule{
				ID:        "client/refresh/confidential",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "MCP 2026-07-28 authorization, Refresh Tokens; OAuth 2.1-13 section 4.3",
				Sentence: "A refresh token goes only to the token endpoint of the authorization server that " +
					"issued it.",
				Covers: []string{"client-refresh-confidential", "CL-021"},
			},
			Needs: []bench.Need{bench.Calling},
			Run: noHarm(
				lab.Script{Refresh: true, ExpiredTokens: 1},
				requestedToken,
				refreshTokenAstray,
				variant{
					"metadata that names another authorization server after the token expired",
					lab.Script{Refresh: true, ExpiredTokens: 1, Resource: moveIssuerAfter(1)},
				},
			),
		},
		{
			Rule: check.Rule{
				ID:        "client/refresh/outage",
				Level:     check.Policy,
				Severity:  check.Medium,
				Reference: "OAuth 2.1-13 section 3.2.4",
				Sentence: "A refresh that fails because the authorization server is down does not end the " +
					"grant. The client tries the refresh token again later.",
				Covers: []string{"CL-056"},
			},
			Abilities: []bench.Ability{bench.KeepsState},
			Needs:     []bench.Need{bench.Connecting},
			Run:       refreshOutage,
		},
		{
			Rule: check.Rule{
				ID:        "client/refresh/refused",
				Level:     check.Policy,
				Severity:  check.Low,
				Reference: "OAuth 2.1-13 sections 3.2.4 and 4.3.1",
				Sentence:  "A refresh token that is refused with invalid_grant is not sent again and again.",
				Covers:    []string{"CL-056"},
			},
			Abilities: []bench.Ability{bench.KeepsState},
			Needs:     []bench.Need{bench.Connecting},
			Run:       refreshRefused,
		},
	}
}

// refreshed reports a refresh request.
func refreshed(l *lab.Lab) string {
	if len(refreshRequests(l, l.Authority())) > 0 {
		return "a refresh request without a refresh token"
	}
	return ""
}

// refreshTokenAstray reports a refresh token anywhere but in the form of its issuer's endpoints.
func refreshTokenAstray(l *lab.Lab) string {
	for _, token := range l.RefreshTokens(lab.Issuer) {
		belongs := func(r *lab.Request) bool {
			return r.Party == lab.Issuer && (r.Form.Get("refresh_token") == token || r.Form.Get("token") == token)
		}
		leaks := l.Find(func(r *lab.Request) bool { return r.Contains(token) && !belongs(r) })
		if len(leaks) > 0 {
			return fmt.Sprintf("it was sent to the %s, %s %s", leaks[0].Party, leaks[0].Method, leaks[0].Path)
		}
	}
	return ""
}

// refreshRotation tries client/refresh/rotation.
func refreshRotation(ctx context.Context, p *bench.Probe) error {
	l := lab.New(lab.Script{Revision: p.Revision, Refresh: true})
	defer l.Close()
	for range 3 {
		l.Run(ctx, p)
		if err := wantCompleted(ctx, p, l); err != nil {
			return err
		}
		l.Expire()
	}
	made := refreshRequests(l, l.Authority())
	if len(made) < 2 {
		return &check.NotApplicable{Reason: "the client does not refresh"}
	}
	for _, request := range made {
		if request.Status != http.StatusOK {
			return l.Mismatch("the newest refresh token each time", "a replaced refresh token")
		}
	}
	return nil
}

// refreshOutage tries client/refresh/outage.
func refreshOutage(ctx context.Context, p *bench.Probe) error {
	var down atomic.Bool // changes between runs; handlers read it
	fail := func(_ *lab.Lab, r *lab.Request, w http.ResponseWriter, _ *http.Request) bool {
		if !down.Load() || r.Form.Get("grant_type") != "refresh_token" {
			return false
		}
		http.Error(w, "out of order", http.StatusServiceUnavailable)
		return true
	}
	l := lab.New(lab.Script{Revision: p.Revision, Refresh: true, Intercept: fail})
	defer l.Close()
	l.Run(ctx, p)
	if err := wantCompleted(ctx, p, l); err != nil {
		return err
	}
	l.Expire()
	down.Store(true)
	l.Run(ctx, p)
	tried := len(refreshRequests(l, l.Authority()))
	if tried == 0 {
		return &check.NotApplicable{Reason: "the client does not refresh"}
	}
	down.Store(false)
	l.Expire()
	signIns := len(l.Authorizations(l.Authority()))
	l.Run(ctx, p)
	if len(l.Authorizations(l.Authority())) > signIns || len(refreshRequests(l, l.Authority())) == tried {
		return l.Mismatch("another refresh request after the outage", "a sign-in, or no request")
	}
	return nil
}

// mostRefusals is how often a client may send a refused refresh token in one run.
const mostRefusals = 3

// refreshRefused tries client/refresh/refused.
func refreshRefused(ctx context.Context, p *bench.Probe) error {
	var refuses atomic.Bool // changes between runs; handlers read it
	refuse := func(_ *lab.Lab, r *lab.Request, w http.ResponseWriter, _ *http.Request) bool {
		if !refuses.Load() || r.Form.Get("grant_type") != "refresh_token" {
			return false
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"error":"invalid_grant"}`))
		return true
	}
	l := lab.New(lab.Script{Revision: p.Revision, Refresh: true, Intercept: refuse})
	defer l.Close()
	l.Run(ctx, p)
	if err := wantCompleted(ctx, p, l); err != nil {
		return err
	}
	l.Expire()
	refuses.Store(true)
	l.Run(ctx, p)
	refused := map[string]int{}
	for _, request := range refreshRequests(l, l.Authority()) {
		if request.Status == http.StatusBadRequest {
			refused[request.Form.Get("refresh_token")]++
		}
	}
	if len(refused) == 0 {
		return &check.NotApplicable{Reason: "the client does not refresh"}
	}
	before := len(refreshRequests(l, l.Authority()))
	refuses.Store(false)
	l.Expire()
	l.Run(ctx, p)
	for token, times := range refused {
		if times > mostRefusals {
			return l.Mismatch("no loop with a refused refresh token", fmt.Sprintf("%d requests in one run", times))
		}
		for _, later := range refreshRequests(l, l.Authority())[before:] {
			if later.Form.Get("refresh_token") == token {
				return l.Mismatch("no refresh request with a token that was refused before", "one in the next run")
			}
		}
	}
	return nil
}

// refreshRequests returns the requests with the grant refresh_token to a party.
func refreshRequests(l *lab.Lab, party lab.Party) []lab.Request {
	isOther := func(r lab.Request) bool { return r.Form.Get("grant_type") != "refresh_token" }
	return slices.DeleteFunc(l.TokenRequests(party), isOther)
}
