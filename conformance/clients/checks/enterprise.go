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

// enterpriseChecks are checks of client/enterprise: tokens through an organisation's identity
// provider (MCP extension Enterprise-Managed Authorization).
func enterpriseChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "client/enterprise/exchange",
				Level:     check.Must,
				Severity:  check.High,
				Revisions: since20251125,
				Reference: "MCP extension, Enterprise-Managed Authorization; RFC 8693 section 2.1",
				Sentence: "The client exchanges the identity assertion at the identity provider for a grant " +
					"that is for this authorization server and this MCP server only.",
				Covers: []string{"client-ext-ema-token-exchange"},
			},
			Abilities: []bench.Ability{bench.Preregistered, bench.EnterpriseManaged},
			Run:       judgeEnterprise(wantExchange),
		},
		{
			Rule: check.Rule{
				ID:        "client/enterprise/redeemed",
				Level:     check.Must,
				Severity:  check.Medium,
				Revisions: since20251125,
				Reference: "MCP extension, Enterprise-Managed Authorization; RFC 7523 section 2.1",
				Sentence: "The client redeems the provider's grant as an assertion at the MCP server's " +
					"authorization server, and authenticates there.",
				Covers: []string{"client-ext-ema-jwt-bearer"},
			},
			Abilities: []bench.Ability{bench.Preregistered, bench.EnterpriseManaged},
			Run:       judgeEnterprise(wantGrantRedeemed),
		},
		{
			Rule: check.Rule{
				ID:        "client/enterprise/confidential",
				Level:     check.Must,
				Severity:  check.High,
				Revisions: since20251125,
				Reference: "MCP extension, Enterprise-Managed Authorization",
				Sentence:  "The person's identity assertion goes to the identity provider and nowhere else.",
				Covers:    []string{"client-ext-ema-token-exchange"},
			},
			Abilities: []bench.Ability{bench.Preregistered, bench.EnterpriseManaged},
			Run:       judgeEnterprise(wantAssertionAtProvider),
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
			Run:       judgeEnterprise(wantNoPage),
		},
		{
			Rule: check.Rule{
				ID:        "client/enterprise/declared",
				Level:     check.Should,
				Revisions: since20260728,
				Reference: "MCP extension, Enterprise-Managed Authorization",
				Sentence: "A client that supports enterprise-managed authorization declares the extension in " +
					"its capabilities.",
				Covers: []string{"client-ext-ema-declared"},
			},
			Abilities: []bench.Ability{bench.Preregistered, bench.EnterpriseManaged},
			Run:       judgeEnterprise(wantExtension("io.modelcontextprotocol/enterprise-managed-authorization")),
		},
	}
}

// wantExchange wants a token exchange with the parameters of RFC 8693.
func wantExchange(l *lab.Lab) error {
	made := l.TokenRequests(lab.Second)
	if len(made) == 0 {
		return l.Mismatch("a token request at the identity provider", "none")
	}
	for _, request := range made {
		for name, want := range map[string]string{
			"grant_type":           "urn:ietf:params:oauth:grant-type:token-exchange",
			"requested_token_type": "urn:ietf:params:oauth:token-type:id-jag",
			"audience":             l.IssuerID(lab.Issuer),
			"resource":             l.URL(),
			"subject_token":        "id-token-of-a-person",
			"subject_token_type":   "urn:ietf:params:oauth:token-type:id_token",
		} {
			if got := request.Form.Get(name); got != want {
				return l.Mismatch(name+" "+want, fmt.Sprintf("%q", got))
			}
		}
	}
	return nil
}

// wantGrantRedeemed wants the provider's grant at the token endpoint, with client authentication.
func wantGrantRedeemed(l *lab.Lab) error {
	issued := l.IdentityGrants(lab.Second)
	for _, request := range l.TokenRequests(lab.Issuer) {
		if kind := request.Form.Get("grant_type"); kind != "urn:ietf:params:oauth:grant-type:jwt-bearer" {
			return l.Mismatch("grant_type jwt-bearer", kind)
		}
		if !slices.Contains(issued, request.Form.Get("assertion")) {
			return l.Mismatch("the identity provider's grant as assertion", "another")
		}
		if !hasSecret(request, "enterprise", "secret-of-an-enterprise") {
			return l.Mismatch("the client's secret", "none")
		}
	}
	return nil
}

// wantAssertionAtProvider wants the identity assertion at the identity provider only.
func wantAssertionAtProvider(l *lab.Lab) error {
	leaks := l.Find(func(r *lab.Request) bool {
		return r.Party != lab.Second && r.Contains("id-token-of-a-person")
	})
	if len(leaks) > 0 {
		return l.Insecure(
			"the identity assertion at the identity provider only",
			"it was sent to the "+string(leaks[0].Party),
		)
	}
	return nil
}

// wantNoPage wants no authorization request.
func wantNoPage(l *lab.Lab) error {
	if authorized(l) {
		return l.Mismatch("no authorization request", "one")
	}
	return nil
}

// judgeEnterprise runs the client with an identity provider, and then judges the record. The second
// authorization server is the identity provider.
func judgeEnterprise(verdict func(l *lab.Lab) error) runFunc {
	return func(ctx context.Context, p *bench.Probe) error {
		l := lab.New(lab.Script{
			Revision:   p.Revision,
			AuthMethod: "client_secret_basic",
			Metadata:   enterpriseMetadata,
		})
		defer l.Close()
		runAlone(ctx, p, l, func(task *bench.Task) {
			task.ClientID = "enterprise"
			task.ClientSecret = "secret-of-an-enterprise"
			task.Enterprise = &bench.Enterprise{
				Issuer:        l.IssuerID(lab.Second),
				TokenEndpoint: l.TokenEndpoint(lab.Second),
				ClientID:      "at-the-provider",
				IDToken:       "id-token-of-a-person",
			}
		})
		if err := wantCompleted(ctx, p, l); err != nil {
			return err
		}
		return verdict(l)
	}
}

// enterpriseMetadata lists the grants of both authorization servers. The client is public at the
// identity provider.
func enterpriseMetadata(_ *lab.Lab, party lab.Party, _ string, document map[string]any) {
	grant := "urn:ietf:params:oauth:grant-type:jwt-bearer"
	if party == lab.Second {
		grant = "urn:ietf:params:oauth:grant-type:token-exchange"
		document["token_endpoint_auth_methods_supported"] = []string{"none"}
	}
	document["grant_types_supported"] = []string{"authorization_code", grant}
}

// hasSecret reports whether a token request has the client's secret, by any method.
func hasSecret(r lab.Request, id, secret string) bool {
	name, password, _ := (&http.Request{Header: r.Header}).BasicAuth()
	return name == id && password == secret || r.Form.Get("client_secret") == secret
}
