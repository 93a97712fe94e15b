package checks

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"

	"mcpentra/conformance/check"
	"mcpentra/conformance/clients/internal/bench"
	"mcpentra/conformance/clients/internal/lab"
)

// refreshChecks are checks of client/refresh: tokens that are renewed (OAuth 2.1 section 4.3; MCP
// 2026-07-28, Refresh Tokens).
func refreshChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "client/refresh/not-assumed",
				Level:     check.Must,
				Reference: "MCP 2026-07-28 authorization, Refresh Tokens",
				Sentence: "Without a refresh token a client whose token has expired signs in anew or says so; it " +
					"does not refresh with nothing.",
				Covers: []string{"client-refresh-not-assumed", "client-refresh-on-expiry"},
			},
			Run: noHarm(lab.Script{}, gotToken, func(l *lab.Lab) string {
				if len(refreshes(l, l.Authority())) > 0 {
					return "a refresh request without a refresh token"
				}
				return ""
			}, variant{"a token that has expired", lab.Script{OldTokens: 1}}),
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
			Run:       refreshRotation,
		},
		{
			Rule: check.Rule{
				ID:        "client/refresh/confidential",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "MCP 2026-07-28 authorization, Refresh Tokens; OAuth 2.1-13 section 4.3",
				Sentence: "A refresh token goes to the token endpoint of the authorization server that issued it, " +
					"and nowhere else.",
				Covers: []string{"client-refresh-confidential", "CL-021"},
			},
			Run: noHarm(
				lab.Script{Refresh: true, OldTokens: 1},
				gotToken,
				func(l *lab.Lab) string {
					for _, token := range l.RefreshTokens(lab.Issuer) {
						astray := l.Find(func(r *lab.Request) bool {
							return r.Contains(token) && (r.Party != lab.Issuer ||
								r.Form.Get("refresh_token") != token &&
									r.Form.Get("token") != token)
						})
						if len(astray) > 0 {
							return fmt.Sprintf(
								"it came to the %s, %s %s",
								astray[0].Party,
								astray[0].Method,
								astray[0].Path,
							)
						}
					}
					return ""
				},
				variant{
					"metadata that names another authorization server when the token has expired",
					lab.Script{Refresh: true, OldTokens: 1, Resource: moved(1)},
				},
			),
		},
		{
			Rule: check.Rule{
				ID:        "client/refresh/outage",
				Level:     check.Policy,
				Severity:  check.Medium,
				Reference: "OAuth 2.1-13 section 3.2.4",
				Sentence: "A refresh that fails because the authorization server is out of order does not end the " +
					"grant; the refresh token is tried again later.",
				Covers: []string{"CL-056"},
			},
			Abilities: []bench.Ability{bench.KeepsState},
			Run:       refreshOutage,
		},
	}
}

// refreshRotation tries client/refresh/rotation.
func refreshRotation(ctx context.Context, p *bench.Probe) error {
	l := lab.New(lab.Script{Revision: p.Revision, Refresh: true})
	defer l.Close()
	for range 3 {
		l.Run(ctx, p)
		if err := completed(ctx, p, l); err != nil {
			return err
		}
		l.Expire()
	}
	made := refreshes(l, l.Authority())
	if len(made) < 2 {
		return &check.NotApplicable{Reason: "the client does not refresh"}
	}
	for _, one := range made {
		if one.Status != http.StatusOK {
			return l.Mismatch("the newest refresh token each time", "one that was replaced")
		}
	}
	return nil
}

func refreshOutage(ctx context.Context, p *bench.Probe) error {
	var out atomic.Bool // changes between runs; handlers read it
	l := lab.New(lab.Script{
		Revision: p.Revision,
		Refresh:  true,
		Intercept: func(l *lab.Lab, r *lab.Request, w http.ResponseWriter, _ *http.Request) bool {
			if !out.Load() || r.Form.Get("grant_type") != "refresh_token" {
				return false
			}
			http.Error(w, "out of order", http.StatusServiceUnavailable)
			return true
		},
	})
	defer l.Close()
	l.Run(ctx, p)
	if err := completed(ctx, p, l); err != nil {
		return err
	}
	l.Expire()
	out.Store(true)
	l.Run(ctx, p)
	tried := len(refreshes(l, l.Authority()))
	if tried == 0 {
		return &check.NotApplicable{Reason: "the client does not refresh"}
	}
	out.Store(false)
	l.Expire()
	asked := len(l.Authorizations(l.Authority()))
	l.Run(ctx, p)
	if len(l.Authorizations(l.Authority())) > asked || len(refreshes(l, l.Authority())) == tried {
		return l.Mismatch(
			"another try with the refresh token once the authorization server is back",
			"a sign-in, or nothing",
		)
	}
	return nil
}
