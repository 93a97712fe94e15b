package checks

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"mcpentra/conformance/check"
	"mcpentra/conformance/clients/internal/bench"
	"mcpentra/conformance/clients/internal/lab"
)

// enterpriseChecks are checks of client/enterprise: tokens by way of an organisation's identity
// provider (MCP extension Enterprise-Managed Authorization).
func enterpriseChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "client/enterprise/exchange",
				Level:     check.Must,
				Severity:  check.High,
				Revisions: since20251125,
				Reference: "MCP extension, Enterprise-Managed Authorization" + "; RFC 8693 section 2.1",
				Sentence: "The identity assertion is exchanged at the identity provider for a grant that is for the " +
					"MCP server's authorization server and for that MCP server alone.",
				Covers: []string{"client-ext-ema-token-exchange"},
			},
			Abilities: []bench.Ability{bench.Preregistered, bench.EnterpriseManaged},
			Run: judgedAsEnterprise(func(l *lab.Lab) error {
				made := l.TokenRequests(lab.Second)
				if len(made) == 0 {
					return l.Mismatch("a token request at the identity provider", "none")
				}
				for _, one := range made {
					for name, want := range map[string]string{
						"grant_type":           "urn:ietf:params:oauth:grant-type:token-exchange",
						"requested_token_type": "urn:ietf:params:oauth:token-type:id-jag",
						"audience":             l.IssuerID(lab.Issuer),
						"resource":             l.URL(),
						"subject_token":        "id-token-of-a-person",
						"subject_token_type":   "urn:ietf:params:oauth:token-type:id_token",
					} {
						if got := one.Form.Get(name); got != want {
							return l.Mismatch(name+" "+want, fmt.Sprintf("%q", got))
						}
					}
				}
				return nil
			}),
		},
		{
			Rule: check.Rule{
				ID:        "client/enterprise/redeemed",
				Level:     check.Must,
				Severity:  check.Medium,
				Revisions: since20251125,
				Reference: "MCP extension, Enterprise-Managed Authorization" + "; RFC 7523 section 2.1",
				Sentence: "The grant of the identity provider is redeemed at the MCP server's authorization server " +
					"as an assertion, by a client that authenticates there.",
				Covers: []string{"client-ext-ema-jwt-bearer"},
			},
			Abilities: []bench.Ability{bench.Preregistered, bench.EnterpriseManaged},
			Run: judgedAsEnterprise(func(l *lab.Lab) error {
				issued := l.Identities(lab.Second)
				for _, one := range l.TokenRequests(lab.Issuer) {
					if kind := one.Form.Get("grant_type"); kind != "urn:ietf:params:oauth:grant-type:jwt-bearer" {
						return l.Mismatch("grant_type jwt-bearer", kind)
					}
					if !slices.Contains(issued, one.Form.Get("assertion")) {
						return l.Mismatch("the identity provider's grant as assertion", "another")
					}
					if !authenticates(one, "enterprise", "secret-of-an-enterprise") {
						return l.Mismatch("the client's secret", "none")
					}
				}
				return nil
			}),
		},
		{
			Rule: check.Rule{
				ID:        "client/enterprise/confidential",
				Level:     check.Must,
				Severity:  check.High,
				Revisions: since20251125,
				Reference: "MCP extension, Enterprise-Managed Authorization",
				Sentence:  "The identity assertion of the person goes to the identity provider, and nowhere else.",
				Covers:    []string{"client-ext-ema-token-exchange"},
			},
			Abilities: []bench.Ability{bench.Preregistered, bench.EnterpriseManaged},
			Run: judgedAsEnterprise(func(l *lab.Lab) error {
				if astray := l.Find(func(r *lab.Request) bool {
					return r.Party != lab.Second &&
						r.Contains("id-token-of-a-person")
				}); len(astray) > 0 {
					return l.Insecure(
						"the identity assertion at the identity provider alone",
						"it came to the "+string(astray[0].Party),
					)
				}
				return nil
			}),
		},
		{
			Rule: check.Rule{
				ID:        "client/enterprise/no-page",
				Level:     check.Should,
				Revisions: since20251125,
				Reference: "MCP extension, Enterprise-Managed Authorization",
				Sentence: "The person is not sent to the authorization endpoint of the MCP server's " +
					"authorization server.",
				Covers: []string{"client-ext-ema-no-user-redirect"},
			},
			Abilities: []bench.Ability{bench.Preregistered, bench.EnterpriseManaged},
			Run: judgedAsEnterprise(func(l *lab.Lab) error {
				if authorized(l) {
					return l.Mismatch("no authorization request", "one")
				}
				return nil
			}),
		},
		{
			Rule: check.Rule{
				ID:        "client/enterprise/declared",
				Level:     check.Should,
				Revisions: since20251125,
				Reference: "MCP extension, Enterprise-Managed Authorization",
				Sentence:  "A client that is managed by an organisation declares the extension in its capabilities.",
				Covers:    []string{"client-ext-ema-declared"},
			},
			Abilities: []bench.Ability{bench.Preregistered, bench.EnterpriseManaged},
			Run: judgedAsEnterprise(func(l *lab.Lab) error {
				return declares(l, "io.modelcontextprotocol/enterprise-managed-authorization")
			}),
		},
	}
}

func judgedAsEnterprise(judge func(l *lab.Lab) error) runClient {
	return func(ctx context.Context, p *bench.Probe) error {
		l := lab.New(lab.Script{
			Revision: p.Revision,
			Secrets:  "client_secret_basic",
			Metadata: func(_ *lab.Lab, party lab.Party, _ string, document map[string]any) {
				document["grant_types_supported"] = []string{
					"authorization_code",
					"urn:ietf:params:oauth:grant-type:jwt-bearer",
				}
				if party == lab.Second { // the identity provider, which knows the client as a public one
					document["grant_types_supported"] = []string{
						"authorization_code",
						"urn:ietf:params:oauth:grant-type:token-exchange",
					}
					document["token_endpoint_auth_methods_supported"] = []string{"none"}
				}
			},
		})
		defer l.Close()
		alone(ctx, p, l, func(task *bench.Task) {
			task.ClientID = "enterprise"
			task.ClientSecret = "secret-of-an-enterprise"
			task.Enterprise = &bench.Enterprise{
				Issuer:        l.IssuerID(lab.Second),
				TokenEndpoint: l.TokenEndpoint(lab.Second),
				ClientID:      "at-the-provider",
				IDToken:       "id-token-of-a-person",
			}
		})
		if err := completed(ctx, p, l); err != nil {
			return err
		}
		return judge(l)
	}
}

// authenticates reports whether a token request has the client's secret, by whichever method.
func authenticates(r lab.Request, id, secret string) bool {
	name, password, _ := (&http.Request{Header: r.Header}).BasicAuth()
	return name == id && password == secret || r.Form.Get("client_secret") == secret
}
