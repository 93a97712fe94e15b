package broken

import (
	"crypto/rand"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"mcpentra/conformance/servers/internal/bench"
)

// The values in a server's tokens. The scope is the one that every request requires.
const (
	scope        = "tools"
	broaderScope = "everything" // includes the scope
	signingKeyID = "broken server"
	tenant       = "one-tenant"
	version      = "2.0"
	listedClient = "a client"
)

// claims are the claims of a server's access tokens (RFC 9068).
type claims struct {
	jwt.Claims
	For     string `json:"aud"` // hides the field of jwt.Claims, which is always an array
	Scope   string `json:"scope"`
	Client  string `json:"client_id"`
	Tenant  string `json:"tid"`
	Version string `json:"ver"`
	Proof   string `json:"azpacr"` // how the client has authenticated, as Entra writes it

	untimed bool // a broken server ignores the times
}

// flaws are the differences between the tokens of each kind and a good one.
var flaws = map[bench.TokenKind]func(map[string]any){
	bench.Expired: func(c map[string]any) { c["exp"] = time.Now().Add(-time.Hour).Unix() },
	bench.NotYetValid: func(c map[string]any) {
		c["nbf"] = time.Now().Add(time.Hour).Unix()
		c["exp"] = time.Now().Add(2 * time.Hour).Unix()
	},
	bench.ForeignAudience: func(c map[string]any) { c["aud"] = "https://other.example/mcp" },
	bench.ForeignIssuer:   func(c map[string]any) { c["iss"] = "https://other.example" },
	bench.WithoutScope:    func(c map[string]any) { c["scope"] = "other" },
	bench.BroaderScope:    func(c map[string]any) { c["scope"] = broaderScope },
	bench.OtherUser:       func(c map[string]any) { c["sub"] = "another user" },
	bench.UnlistedClient:  func(c map[string]any) { c["client_id"] = "another client" },
	bench.PublicClient:    func(c map[string]any) { c["azpacr"] = "0" },
	bench.Refreshed:       func(c map[string]any) { c["jti"] = rand.Text() },
}

// goodToken makes a good token.
func (s *Server) goodToken() (string, error) {
	signer, err := jose.NewSigner(
		s.signingKey(),
		(&jose.SignerOptions{}).WithType("at+jwt").WithHeader("kid", signingKeyID),
	)
	if err != nil {
		return "", err
	}
	now := s.now()
	return jwt.Signed(signer).Claims(claims{
		For:     s.URL,
		Scope:   scope,
		Client:  listedClient,
		Tenant:  tenant,
		Version: version,
		Proof:   "1",
		Claims: jwt.Claims{
			Issuer:   s.origin,
			Subject:  goodUser,
			ID:       rand.Text(),
			IssuedAt: jwt.NewNumericDate(now),
			Expiry:   jwt.NewNumericDate(now.Add(time.Hour)),
		},
	}).Serialize()
}

// guessableSecret is the secret of many examples.
const guessableSecret = "a-string-secret-at-least-256-bits-long"

// signingKey returns the key that signs the issuer's tokens.
func (s *Server) signingKey() jose.SigningKey {
	if s.has(SharesGuessableSecret) {
		return jose.SigningKey{Algorithm: jose.HS256, Key: []byte(guessableSecret)}
	}
	return jose.SigningKey{Algorithm: jose.ES256, Key: s.key}
}

// keySet returns the issuer's key set. Each key names its issuer, as at Entra.
func (s *Server) keySet() map[string]any {
	key := jose.JSONWebKey{Key: s.key.Public(), KeyID: signingKeyID, Use: "sig", Algorithm: string(jose.ES256)}
	text, _ := key.MarshalJSON()
	members := map[string]any{}
	_ = json.Unmarshal(text, &members)
	members["issuer"] = s.origin
	return map[string]any{"keys": []any{members}}
}

// verify checks a token. In a session, a broken server ignores the token's times.
func (s *Server) verify(raw string, inSession bool) (caller claims, good bool) {
	if s.has(AcceptsGarbage) && raw != "" && !strings.Contains(raw, ".") {
		return claims{Scope: scope}, true
	}
	token, well := s.parse(raw)
	if !well || !s.isSigned(token) || s.isRevoked(raw) {
		s.refused.Add(1)
		return claims{}, false
	}
	untimed := inSession || s.has(CachesPastExpiry) && s.isCached(raw)
	if caller, good = s.judgeClaims(token, untimed); !good {
		return claims{}, false
	}
	s.remember(raw)
	return caller, true
}

// mayCall reports whether a caller has the scope, or one that includes it.
func (s *Server) mayCall(c *claims) bool {
	has := strings.Fields(c.Scope)
	return slices.Contains(has, scope) || slices.Contains(has, broaderScope) && !s.has(KnowsNoBroaderScope)
}
