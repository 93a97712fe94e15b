package twins

import (
	"crypto/rand"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"mcpentra/conformance/engine"
)

// scope is what every request to a twin needs.
const scope = "tools"

// claims are those of a twin's access tokens (RFC 9068).
type claims struct {
	jwt.Claims
	Scope string `json:"scope"`
}

// flaws are what the tokens of each kind differ in from a good one.
var flaws = map[engine.TokenKind]func(map[string]any){
	engine.Expired: func(c map[string]any) { c["exp"] = time.Now().Add(-time.Hour).Unix() },
	engine.NotYetValid: func(c map[string]any) {
		c["nbf"], c["exp"] = time.Now().Add(time.Hour).Unix(), time.Now().Add(2*time.Hour).Unix()
	},
	engine.ForeignAudience: func(c map[string]any) { c["aud"] = "https://other.example/mcp" },
	engine.ForeignIssuer:   func(c map[string]any) { c["iss"] = "https://other.example" },
	engine.WithoutScope:    func(c map[string]any) { c["scope"] = "other" },
	engine.OtherUser:       func(c map[string]any) { c["sub"] = "somebody else" },
	engine.Refreshed:       func(c map[string]any) { c["jti"] = rand.Text() },
}

// good makes a good token.
func (t *Twin) good() (string, error) {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: t.key}, (&jose.SignerOptions{}).WithType("at+jwt"))
	if err != nil {
		return "", err
	}
	now := time.Now()
	return jwt.Signed(signer).Claims(claims{Scope: scope, Claims: jwt.Claims{
		Issuer: t.origin, Subject: "somebody", Audience: jwt.Audience{t.URL}, ID: rand.Text(), IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(time.Hour)),
	}}).Serialize()
}

// verify judges a token, but for what the twin is broken in.
func (t *Twin) verify(raw string) (caller claims, good bool) {
	if t.has(AcceptsGarbage) && raw != "" && !strings.Contains(raw, ".") {
		return claims{Scope: scope}, true
	}
	if parts := strings.Split(raw, "."); t.has(AcceptsNoAlgorithm) && len(parts) == 3 && parts[2] == "" {
		return claims{Scope: scope}, true
	}
	parsed, err := jwt.ParseSigned(raw, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return claims{}, false
	}
	if parsed.Claims(&t.key.PublicKey, &caller) != nil {
		believed := t.has(ChecksNoSignature) || t.has(CachesByPayload) && t.known(raw)
		if !believed || parsed.UnsafeClaimsWithoutVerification(&caller) != nil {
			return claims{}, false
		}
	}
	now := time.Now()
	switch {
	case caller.Expiry == nil || now.After(caller.Expiry.Time()) && !t.has(AcceptsExpired):
		return claims{}, false
	case caller.NotBefore != nil && now.Before(caller.NotBefore.Time()) && !t.has(AcceptsNotYetValid):
		return claims{}, false
	case !caller.Audience.Contains(t.URL) && !t.has(ChecksNoAudience):
		return claims{}, false
	case caller.Issuer != t.origin && !t.has(ChecksNoIssuer):
		return claims{}, false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.seen[payload(raw)]++
	return caller, true
}

// known reports whether a payload was good several times.
func (t *Twin) known(raw string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.seen[payload(raw)] > 6
}

func payload(raw string) string {
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		return ""
	}
	return parts[1]
}

// mayCall reports whether a caller has the scope.
func (c *claims) mayCall() bool { return slices.Contains(strings.Fields(c.Scope), scope) }
