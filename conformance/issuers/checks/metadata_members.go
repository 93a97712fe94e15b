package checks

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/issuers/internal/bench"
)

// metadataMembersChecks returns the checks of authorization-server/metadata: the members of the
// document.
func metadataMembersChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "authorization-server/metadata/required-members",
				Level:     check.Must,
				Reference: "RFC 8414 section 2",
				Sentence:  "The metadata has token_endpoint, and for the code grant the members that it needs.",
				Covers:    []string{"as-metadata-required-members"},
			},
			Run: metadataRequiredMembers,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/metadata/omits-empty",
				Level:     check.Must,
				Reference: "RFC 8414 section 3.2; OpenID Connect Discovery 1.0 section 4.2",
				Sentence:  "Members without values are left out of the metadata.",
				Covers:    []string{"as-metadata-no-empty-arrays"},
			},
			Run: metadataOmitsEmpty,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/metadata/openid-members",
				Level:     check.Must,
				Revisions: since(check.R20251125),
				Reference: "OpenID Connect Discovery 1.0 section 3",
				Sentence: "The discovery document of an OpenID provider has jwks_uri, subject_types_supported " +
					"and id_token_signing_alg_values_supported.",
				Covers: []string{"as-metadata-oidc-members"},
			},
			Run: metadataOpenidMembers,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/metadata/s256",
				Level:     check.Must,
				Revisions: since(check.R20251125),
				Reference: "MCP 2025-11-25 authorization, Authorization Code Protection; RFC 8414 section 2",
				Sentence: "The metadata advertises PKCE with S256. Without the member a server has no PKCE, and " +
					"clients have to refuse it.",
				Covers: []string{"as-metadata-pkce-advertised", "AS-064"},
			},
			Run: metadataS256,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/metadata/signing-algorithms",
				Level:     check.Must,
				Reference: "RFC 8414 section 2",
				Sentence:  "A server that lists private_key_jwt or client_secret_jwt lists signing algorithms.",
				Covers:    []string{"as-metadata-jwt-algs", "as-ext-cc-signing-algs"},
			},
			Run: metadataSigningAlgorithms,
		},
		{
			Rule: check.Rule{
				ID:        "authorization-server/metadata/no-obsolete-grants",
				Level:     check.Should,
				Reference: "RFC 9700 sections 2.1.2 and 2.4; OAuth 2.1 draft-13 section 10",
				Sentence:  "The metadata lists neither the implicit nor the password grant.",
				Covers:    []string{"as-no-implicit-no-password"},
			},
			Run: metadataNoObsoleteGrants,
		},
	}
}

// metadataRequiredMembers tries authorization-server/metadata/required-members.
func metadataRequiredMembers(ctx context.Context, p *bench.Probe) error {
	_, first, err := documents(ctx, p)
	switch {
	case err != nil:
		return err
	case first.TokenEndpoint == "":
		return p.Mismatch("token_endpoint", "a document without it")
	case !first.OffersCode():
		return nil
	case first.AuthorizationEndpoint == "":
		return p.Mismatch("authorization_endpoint", "a document without it")
	case !slices.ContainsFunc(first.ResponseTypes, func(kind string) bool {
		return slices.Contains(strings.Fields(kind), "code")
	}):
		return p.Mismatch("response_types_supported with code", fmt.Sprintf("%q", first.ResponseTypes))
	}
	return nil
}

// metadataOmitsEmpty tries authorization-server/metadata/omits-empty.
func metadataOmitsEmpty(ctx context.Context, p *bench.Probe) error {
	locations, first, err := documents(ctx, p)
	if err != nil {
		return err
	}
	for name, value := range first.Members {
		var list []json.RawMessage
		isEmpty := json.Unmarshal(value, &list) == nil && list != nil && len(list) == 0
		if !isEmpty || name == "response_types_supported" && !first.OffersCode() {
			continue
		}
		if locations[0].IsOpenID {
			return p.MismatchAt(check.Should, "no "+name, "an empty array")
		}
		return p.Mismatch("no "+name, "an empty array")
	}
	return nil
}

// metadataOpenidMembers tries authorization-server/metadata/openid-members.
func metadataOpenidMembers(ctx context.Context, p *bench.Probe) error {
	locations, _, err := documents(ctx, p)
	if err != nil {
		return err
	}
	isProvider := func(l bench.Location) bool { return l.IsOpenID && showsOpenID(l.Metadata) }
	i := slices.IndexFunc(locations, isProvider)
	if i < 0 {
		return &check.NotApplicable{Reason: "no document shows an OpenID provider"}
	}
	level := check.Must
	if !locations[0].IsOpenID {
		level = check.Should // one mechanism suffices, and RFC 8414 is the other one
	}
	document := locations[i].Metadata
	for _, name := range []string{"jwks_uri", "subject_types_supported", "id_token_signing_alg_values_supported"} {
		if document.Members[name] == nil {
			return p.MismatchAt(level, name+" at "+locations[i].URL, "a document without it")
		}
	}
	answer, err := p.Send(ctx, bench.Request{URL: document.JWKS})
	if err != nil {
		return err
	}
	var keys struct {
		Keys []json.RawMessage `json:"keys"`
	}
	err = json.Unmarshal(answer.Body, &keys)
	if answer.Status != http.StatusOK || err != nil || keys.Keys == nil {
		return p.MismatchAt(level, "keys at "+document.JWKS, answer.String())
	}
	return nil
}

// showsOpenID reports whether a document describes an OpenID provider. Plain OAuth servers have
// jwks_uri too.
func showsOpenID(document *bench.Metadata) bool {
	hasIDToken := func(kind string) bool { return slices.Contains(strings.Fields(kind), "id_token") }
	return slices.Contains(document.Scopes, "openid") || slices.ContainsFunc(document.ResponseTypes, hasIDToken) ||
		document.Members["subject_types_supported"] != nil ||
		document.Members["id_token_signing_alg_values_supported"] != nil
}

// metadataS256 tries authorization-server/metadata/s256.
func metadataS256(ctx context.Context, p *bench.Probe) error {
	locations, first, err := documents(ctx, p)
	switch {
	case err != nil:
		return err
	case !first.OffersCode():
		return &check.NotApplicable{Reason: "the server does not offer the code grant"}
	case !slices.Contains(first.ChallengeMethods, "S256"):
		return p.Mismatch("code_challenge_methods_supported with S256", fmt.Sprintf("%q", first.ChallengeMethods))
	}
	for _, location := range locations {
		if !slices.Contains(location.Metadata.ChallengeMethods, "S256") {
			got := fmt.Sprintf("%q at %s", location.Metadata.ChallengeMethods, location.URL)
			return p.MismatchAt(check.Should, "code_challenge_methods_supported with S256", got)
		}
	}
	return nil
}

// metadataSigningAlgorithms tries authorization-server/metadata/signing-algorithms.
func metadataSigningAlgorithms(ctx context.Context, p *bench.Probe) error {
	locations, first, err := documents(ctx, p)
	if err != nil {
		return err
	}
	signs := func(method string) bool { return method == "private_key_jwt" || method == "client_secret_jwt" }
	if locations[0].IsOpenID || !slices.ContainsFunc(first.TokenAuthMethods, signs) {
		return &check.NotApplicable{Reason: "no RFC 8414 document lists authentication by JWT"}
	}
	const name = "token_endpoint_auth_signing_alg_values_supported"
	var algorithms []string
	_ = json.Unmarshal(first.Members[name], &algorithms)
	if len(algorithms) == 0 || slices.Contains(algorithms, "none") {
		return p.Mismatch(name+" without none", fmt.Sprintf("%q", algorithms))
	}
	return nil
}

// metadataNoObsoleteGrants tries authorization-server/metadata/no-obsolete-grants.
func metadataNoObsoleteGrants(ctx context.Context, p *bench.Probe) error {
	_, first, err := documents(ctx, p)
	if err != nil {
		return err
	}
	for _, grant := range []string{"implicit", "password"} {
		if slices.Contains(first.GrantTypes, grant) {
			return p.Mismatch("grant_types_supported without "+grant, fmt.Sprintf("%q", first.GrantTypes))
		}
	}
	return nil
}
