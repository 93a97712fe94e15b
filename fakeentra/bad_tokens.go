package fakeentra

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"mcpentra/fakeentra/directory"
	"mcpentra/fakeentra/internal/rules"
	"mcpentra/fakeentra/internal/signing"
)

// A BadToken is a token that an API must refuse.
type BadToken struct {
	Name  string `json:"name"` // unique, such as wrong-audience
	Why   string `json:"why"`  // the mistake, as a sentence
	Token string `json:"token"`
}

// A flaw turns a good token into a bad one. It has one of the three functions.
type flaw struct {
	name    string
	why     string
	change  func(f *Fake, want *Token) // changes the argument of Mint
	redraft func(made *signing.Draft)  // changes the token before it is signed
	damage  func(raw string) string    // changes the signed token
}

// BadTokens makes tokens that an API must refuse with 401, or with 403 if only a scope is missing.
// Each has one difference from the good token, which must be an access token for a person. A
// published key signs most of them. The error says that Mint cannot make the good token.
func (f *Fake) BadTokens(good Token) ([]BadToken, error) {
	f.directoryMu.RLock()
	defer f.directoryMu.RUnlock()
	if good.Kind != AccessToken {
		return nil, errors.New("fakeentra: bad tokens: want an access token for a person as the good token")
	}
	_, group, err := f.mintFor(good)
	if err != nil {
		return nil, fmt.Errorf("fakeentra: bad tokens: %w", err)
	}
	var bad []BadToken
	for _, defect := range flaws(group.App) {
		want := good
		if defect.change != nil {
			want.Claims = copied(good.Claims)
			want.Header = copied(good.Header)
			defect.change(f, &want)
		}
		made, err := f.draft(want)
		if err != nil {
			return nil, fmt.Errorf("fakeentra: bad tokens: %s: %w", defect.name, err)
		}
		if defect.redraft != nil {
			defect.redraft(made)
		}
		raw, err := made.Sign()
		if err != nil {
			return nil, err
		}
		if defect.damage != nil {
			raw = defect.damage(raw)
		}
		bad = append(bad, BadToken{Name: defect.name, Why: defect.why, Token: raw})
	}
	return bad, nil
}

// No directory has the tenant or the API with these IDs.
const (
	otherTenantID = "5a1e00ff-0000-4000-8000-00000000000f"
	otherAPIURI   = "api://5a1e00ff-0000-4000-8000-00000000000a"
)

func claim(name string, value any) func(*Fake, *Token) {
	return func(_ *Fake, want *Token) { want.Claims[name] = value }
}

func flaws(api *directory.App) []flaw {
	all := []flaw{
		{
			name: "expired",
			why:  "exp is an hour ago",
			change: func(_ *Fake, want *Token) {
				want.Age = 2 * time.Hour
				want.Lifetime = time.Hour
			},
		},
		{
			name: "not-yet-valid",
			why:  "nbf is in an hour",
			change: func(_ *Fake, want *Token) {
				want.Age = -65 * time.Minute
				want.Lifetime = time.Hour
			},
		},
		{name: "no-exp", why: "there is no exp", change: claim("exp", nil)},
		{
			name:    "exp-as-text",
			why:     "exp is a string instead of a number",
			redraft: func(made *signing.Draft) { made.Claims["exp"] = fmt.Sprint(made.Claims["exp"]) },
		},
		{
			name:   "wrong-audience",
			why:    "aud is another API",
			change: claim("aud", otherAPIURI),
		},
		{
			name:    "client-as-audience",
			why:     "aud is the client instead of the API",
			redraft: func(made *signing.Draft) { made.Claims["aud"] = clientOf(made.Claims) },
		},
		{name: "no-audience", why: "there is no aud", change: claim("aud", nil)},
		{
			name: "audience-twice",
			why:  "aud appears twice, the right one last",
			redraft: func(made *signing.Draft) {
				text, _ := json.Marshal(made.Claims) // Sign reports an error
				made.Payload = append([]byte(`{"aud":"`+otherAPIURI+`",`), text[1:]...)
			},
		},
		{
			name:   "wrong-issuer",
			why:    "iss is another issuer",
			change: claim("iss", "https://login.evil.example/"+otherTenantID+"/v2.0"),
		},
		{name: "no-issuer", why: "there is no iss", change: claim("iss", nil)},
		{
			name:   "issuer-template",
			why:    "iss is the template in the discovery document of common",
			change: func(f *Fake, want *Token) { want.Claims["iss"] = f.authority + "/{tenantid}/v2.0" },
		},
		{
			name:    "issuer-prefix",
			why:     "iss is the right issuer with a suffix",
			redraft: func(made *signing.Draft) { made.Claims["iss"] = text(made.Claims, "iss") + ".evil.example" },
		},
		{
			name: "wrong-tenant",
			why:  "iss and tid are another tenant, which has the same signing keys",
			change: func(f *Fake, want *Token) {
				want.Claims["iss"] = issuerFor(&f.rules, api, otherTenantID)
				want.Claims["tid"] = otherTenantID
			},
		},
		{name: "no-scope", why: "there is no scp", change: claim("scp", nil)},
		{
			name:   "app-only",
			why:    "the token is for an app without a person, and has no scp",
			change: func(_ *Fake, want *Token) { want.Kind = AppToken },
		},
		{
			name:   "id-token",
			why:    "the token is an ID token instead of an access token",
			change: func(_ *Fake, want *Token) { want.Kind = IDToken },
		},
		{
			name: "graph-token",
			why:  "the token is for Microsoft Graph",
			change: func(_ *Fake, want *Token) {
				want.Kind = GraphToken
				want.Scopes = nil
			},
		},

		{
			name:   "alg-none",
			why:    `alg is "none", and there is no signature`,
			change: func(_ *Fake, want *Token) { want.Algorithm = "none" },
		},
		{
			name: "alg-none-mixed-case",
			why:  `alg is "nOnE", and there is no signature`,
			change: func(_ *Fake, want *Token) {
				want.Algorithm = "none"
				want.Header["alg"] = "nOnE"
			},
		},
		{
			name:   "hs256-public-key",
			why:    "alg is HS256, and the secret is the public key in PEM",
			change: func(_ *Fake, want *Token) { want.Algorithm = "HS256" },
		},
		{
			name:   "no-signature",
			why:    "alg is RS256, and the signature is empty",
			damage: func(raw string) string { return raw[:strings.LastIndexByte(raw, '.')+1] },
		},
		{
			name:   "broken-signature",
			why:    "one bit of the signature is wrong",
			damage: func(raw string) string { return flip(raw, 2) },
		},
		{
			name:   "changed-payload",
			why:    "the claims were changed after signing",
			damage: addRole,
		},
		{
			name:   "unknown-key",
			why:    "an unpublished key signed the token, under the kid of a published key",
			change: func(_ *Fake, want *Token) { want.Key = StrangerKey },
		},
		{
			name: "unknown-kid",
			why:  "an unpublished key signed the token, under its own kid",
			change: func(_ *Fake, want *Token) {
				want.Key = StrangerKey
				want.Header["kid"] = signing.Stranger().ID()
			},
		},
		{
			name: "key-in-header",
			why:  "the key in the header (jwk) signed the token",
			change: func(_ *Fake, want *Token) {
				want.Key = StrangerKey
				want.Header["kid"] = nil
				want.Header["jwk"] = map[string]any{"kty": "RSA", "n": signing.Stranger().Modulus(), "e": "AQAB"}
			},
		},
		{
			name: "key-by-address",
			why:  "the key at an address in the header (jku) signed the token",
			change: func(_ *Fake, want *Token) {
				want.Key = StrangerKey
				want.Header["kid"] = signing.Stranger().ID()
				want.Header["jku"] = "https://login.evil.example/keys"
			},
		},
		{
			name: "critical-extension",
			why:  "the header has an extension that must be understood (crit)",
			change: func(_ *Fake, want *Token) {
				want.Header["crit"] = []string{"http://evil.example/extension"}
				want.Header["http://evil.example/extension"] = true
			},
		},
		{name: "four-parts", why: "there is a fourth part", damage: func(raw string) string { return raw + ".e30" }},
		{
			name:   "not-a-token",
			why:    "the token is opaque, like the tokens of some issuers",
			damage: func(string) string { return "bm90LWEtdG9rZW4" },
		},
	}
	if api.TokenVersion == 2 {
		return append(all, flaw{
			name:   "v1-for-v2",
			why:    "the token is a v1 token with the issuer sts.windows.net, and the API is registered for v2",
			change: func(_ *Fake, want *Token) { want.Version = 1 },
		})
	}
	return append(all, flaw{
		name:   "v2-for-v1",
		why:    "the token is a v2 token, and the API is registered for v1",
		change: func(_ *Fake, want *Token) { want.Version = 2 },
	})
}

// copied returns a copy of a map. A copy of nil is empty.
func copied(members map[string]any) map[string]any {
	if members == nil {
		return map[string]any{}
	}
	return maps.Clone(members)
}

// clientOf returns the client that an access token names.
func clientOf(claims map[string]any) string {
	if party := text(claims, "azp"); party != "" {
		return party
	}
	return text(claims, "appid")
}

// addRole adds a claim to a signed token.
func addRole(raw string) string {
	parts := strings.Split(raw, ".")
	payload, _ := base64.RawURLEncoding.DecodeString(parts[1]) // Sign has encoded it
	changed := strings.Replace(string(payload), `{`, `{"roles":["admin"],`, 1)
	parts[1] = base64.RawURLEncoding.EncodeToString([]byte(changed))
	return strings.Join(parts, ".")
}

// issuerFor returns the issuer of a tenant, in the version of an API.
func issuerFor(entra *rules.Rules, api *directory.App, tenantID string) string {
	if api.TokenVersion == 2 {
		return entra.Issuer(tenantID)
	}
	return entra.V1Issuer(tenantID)
}

// flip changes a bit of one of a token's parts.
func flip(raw string, part int) string {
	parts := strings.Split(raw, ".")
	decoded, _ := base64.RawURLEncoding.DecodeString(parts[part])
	decoded[len(decoded)/2] ^= 1
	parts[part] = base64.RawURLEncoding.EncodeToString(decoded)
	return strings.Join(parts, ".")
}
