package client_test

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client"
	"mcpentra/client/tokenstore"
)

// A binding is a site whose tokens are bound to the key that they were asked for with.
type binding struct {
	*site
	mu     sync.Mutex
	seen   map[string]bool   // proofs
	bound  map[string]string // token → thumbprint
	nonces int               // how many requests to the server are refused for want of a new nonce
	nonce  int
	asked  int
}

func newBinding(t *testing.T) *binding {
	b := &binding{site: newSite(t), seen: map[string]bool{}, bound: map[string]string{}}
	b.metadata(s256 + `,"dpop_signing_alg_values_supported":["RS256","ES256"]`)
	b.replace["/token"] = func(w http.ResponseWriter, r *http.Request) {
		thumbprint, _ := b.proof(r, "")
		b.mu.Lock()
		defer b.mu.Unlock()
		b.asked++
		token := fmt.Sprintf("secret-bound-%d", b.asked)
		b.bound[token] = thumbprint
		b.json(
			w,
			200,
			fmt.Sprintf(
				`{"access_token":%q,"token_type":"DPoP","expires_in":600,"refresh_token":"secret-refresh-%d"}`,
				token,
				b.asked,
			),
		)
	}
	b.replace["/mcp"] = func(w http.ResponseWriter, r *http.Request) {
		token, dpop := strings.CutPrefix(r.Header.Get("Authorization"), "DPoP ")
		if !dpop {
			w.Header().
				Set("WWW-Authenticate", `DPoP algs="ES256", resource_metadata="`+b.URL+`/.well-known/oauth-protected-resource/mcp", scope="a"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		thumbprint, nonce := b.proof(r, token)
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.nonces > 0 {
			b.nonces--
			b.nonce++
			w.Header().Set("DPoP-Nonce", fmt.Sprintf("n-%d", b.nonce))
			w.Header().Set("WWW-Authenticate", `DPoP error="use_dpop_nonce"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if b.nonce > 0 {
			assert.Equal(t, fmt.Sprintf("n-%d", b.nonce), nonce)
		}
		if b.bound[token] == "" || b.bound[token] != thumbprint {
			w.Header().Set("WWW-Authenticate", `DPoP error="invalid_token"`)
			w.WriteHeader(http.StatusUnauthorized)
		}
	}
	return b
}

// proof checks the proof of a request, which has not been seen before, and returns the key's
// thumbprint.
func (b *binding) proof(r *http.Request, token string) (thumbprint, nonce string) {
	parsed, err := jwt.ParseSigned(r.Header.Get("DPoP"), []jose.SignatureAlgorithm{jose.ES256})
	if !assert.NoError(b.t, err, r.URL.Path) {
		return "", ""
	}
	var claims struct {
		ID     string `json:"jti"`
		Method string `json:"htm"`
		URL    string `json:"htu"`
		Hash   string `json:"ath"`
		Nonce  string `json:"nonce"`
	}
	assert.NoError(b.t, parsed.Claims(parsed.Headers[0].JSONWebKey, &claims))
	assert.Equal(b.t, r.Method+" "+b.URL+r.URL.Path, claims.Method+" "+claims.URL)
	if token != "" {
		sum := sha256.Sum256([]byte(token))
		assert.Equal(b.t, base64.RawURLEncoding.EncodeToString(sum[:]), claims.Hash)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	assert.False(b.t, b.seen[claims.ID], "a proof is for one request")
	b.seen[claims.ID] = true
	sum, err := parsed.Headers[0].JSONWebKey.Thumbprint(5) // crypto.SHA256
	assert.NoError(b.t, err)
	return string(sum), claims.Nonce
}

func TestBoundTokens(t *testing.T) {
	t.Parallel()
	b := newBinding(t)
	var tokens tokenstore.Memory
	_, through := b.client(func(config *client.Config) { config.Tokens = &tokens })
	for range 3 {
		code, _ := post(t, through, b.URL+"/mcp?x=y", "hello")
		assert.Equal(t, http.StatusOK, code)
	}
	assert.Len(t, b.pages(), 1)
	assert.Equal(t, 1, b.asked)

	// The key is kept with the token, and used for the next one.
	_, later := b.client(func(config *client.Config) { config.Tokens = &tokens })
	code, _ := post(t, later, b.URL+"/mcp", "")
	assert.Equal(t, http.StatusOK, code)
	b.pass(time.Hour)
	code, _ = post(t, later, b.URL+"/mcp", "")
	assert.Equal(t, http.StatusOK, code)
	assert.Equal(t, 2, b.asked)
	assert.Equal(t, b.bound["secret-bound-1"], b.bound["secret-bound-2"])
	assert.Len(t, b.pages(), 1)

	issued := 0
	for _, event := range b.told() {
		if one, ok := event.(client.Issued); ok {
			issued++
			assert.True(t, one.Bound)
		}
	}
	assert.Equal(t, 2, issued)
}

func TestServerThatWantsANonce(t *testing.T) {
	t.Parallel()
	b := newBinding(t)
	b.nonces = 1
	_, through := b.client(nil)
	for range 2 {
		code, _ := post(t, through, b.URL+"/mcp", "")
		assert.Equal(t, http.StatusOK, code)
	}
	assert.Len(t, b.pages(), 1)

	b = newBinding(t)
	b.nonces = 1000
	_, through = b.client(nil)
	refused(t, through, b.URL+"/mcp")
	assert.Less(t, b.count("POST /mcp")+b.count("GET /mcp"), 20, "and not for ever")
}

func TestTokensAreBoundWhereTheyHaveToBe(t *testing.T) {
	t.Parallel()
	bound := func(t *testing.T, s *site) bool {
		for _, event := range s.told() {
			if issued, ok := event.(client.Issued); ok {
				return issued.Bound
			}
		}
		t.Error("nothing was issued")
		return false
	}
	for name, c := range map[string]struct {
		wanted  bool
		offered string
		demand  string
		proves  bool
		says    string
	}{
		"neither wanted nor demanded": {false, `["ES256"]`, "", false, ""},
		"wanted and offered":          {true, `["ES256"]`, "", true, ""},
		"wanted and not offered":      {true, `[]`, "", false, ""},
		"wanted, in another way":      {true, `["EdDSA"]`, "", false, ""},
		"demanded":                    {false, `["ES256"]`, `,"dpop_bound_access_tokens_required":true`, true, ""},
		"demanded, in another way": {false, `["EdDSA"]`, `,"dpop_bound_access_tokens_required":true`, false,
			"does not support ES256"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.metadata(s256 + `,"dpop_signing_alg_values_supported":` + c.offered)
			s.replace["/.well-known/oauth-protected-resource/mcp"] = func(w http.ResponseWriter, _ *http.Request) {
				s.json(w, 200, `{"resource":"ORIGIN/mcp","authorization_servers":["ORIGIN"]`+c.demand+`}`)
			}
			proved := false
			s.replace["/token"] = func(w http.ResponseWriter, r *http.Request) {
				proved = r.Header.Get("DPoP") != ""
				s.token(w, r)
			}
			_, through := s.client(func(config *client.Config) { config.DPoP = c.wanted })
			if c.says != "" {
				assert.ErrorContains(t, refused(t, through, s.URL+"/mcp"), c.says)
				return
			}
			code, _ := post(t, through, s.URL+"/mcp", "")
			require.Equal(t, http.StatusOK, code)
			assert.Equal(t, c.proves, proved)
			assert.False(
				t,
				bound(t, s),
				"this authorization server issued a bearer token all the same, and it is used as one",
			)
		})
	}
}
