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

// What a server's issuer puts into its tokens: the scope that every request needs, and what Entra
// has besides.
const (
	scope        = "tools"
	broaderScope = "everything" // contains the scope
	signingKeyID = "broken server"
	tenant       = "one-tenant"
	version      = "2.0"
	listedClient = "a client"
)

// claims are those of a server's access tokens (RFC 9068).
type claims struct {
	jwt.Claims
	For     string `json:"aud"` // in place of that of jwt.Claims, which is always an array
	Scope   string `json:"scope"`
	Client  string `json:"client_id"`
	Tenant  string `json:"tid"`
	Version string `json:"ver"`
	Proof   string `json:"azpacr"` // how the client has authenticated, in Entra's words

	untimed bool // a broken server does not look at the time
}

// flaws are what the tokens of each kind differ in from a good one.
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
	bench.OtherUser:       func(c map[string]any) { c["sub"] = "somebody else" },
	bench.UnlistedClient:  func(c map[string]any) { c["client_id"] = "another client" },
	bench.PublicClient:    func(c map[string]any) { c["azpacr"] = "0" },
	bench.Refreshed:       func(c map[string]any) { c["jti"] = rand.Text() },
}

// good makes a good token.
func (t *Server) good() (string, error) {
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: t.key, KeyID: signingKeyID}},
		(&jose.SignerOptions{}).WithType("at+jwt"),
	)
	if err != nil {
		return "", err
	}
	now := t.now()
	return jwt.Signed(signer).Claims(claims{
		For:     t.URL,
		Scope:   scope,
		Client:  listedClient,
		Tenant:  tenant,
		Version: version,
		Proof:   "1",
		Claims: jwt.Claims{
			Issuer:   t.origin,
			Subject:  firstUser,
			ID:       rand.Text(),
			IssuedAt: jwt.NewNumericDate(now),
			Expiry:   jwt.NewNumericDate(now.Add(time.Hour)),
		},
	}).Serialize()
}

// published is the issuer's key set. As at Entra each key says whose it is.
func (t *Server) published() map[string]any {
	key := jose.JSONWebKey{Key: t.key.Public(), KeyID: signingKeyID, Use: "sig", Algorithm: string(jose.ES256)}
	text, _ := key.MarshalJSON()
	members := map[string]any{}
	_ = json.Unmarshal(text, &members)
	members["issuer"] = t.origin
	return map[string]any{"keys": []any{members}}
}

// verify judges a token, but for what the server is broken in. In a session, a broken server does
// not look at the time.
func (t *Server) verify(raw string, inSession bool) (caller claims, good bool) {
	if t.has(AcceptsGarbage) && raw != "" && !strings.Contains(raw, ".") {
		return claims{Scope: scope}, true
	}
	token, well := t.parse(raw)
	if !well || !t.signed(token) {
		t.refused.Add(1)
		return claims{}, false
	}
	if caller, good = t.judge(token, inSession); !good {
		return claims{}, false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.seen[payload(raw)]++
	return caller, true
}

// known reports whether a payload was good several times.
func (t *Server) known(raw string) bool {
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

// mayCall reports whether a caller has the scope, or one that contains it.
func (t *Server) mayCall(c *claims) bool {
	has := strings.Fields(c.Scope)
	return slices.Contains(has, scope) || slices.Contains(has, broaderScope) && !t.has(ComparesScopesOnly)
}
