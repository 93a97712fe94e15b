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

// A boundEnv binds its tokens to the key of the token request.
type boundEnv struct {
	*testEnv
	mu     sync.Mutex
	seen   map[string]bool   // proofs
	bound  map[string]string // key thumbprints by token
	nonces int               // how many more requests must bring a new nonce
	nonce  int               // the last nonce
	asked  int               // token requests
}

func newBoundEnv(t *testing.T) *boundEnv {
	b := &boundEnv{testEnv: newEnv(t), seen: map[string]bool{}, bound: map[string]string{}}
	b.metadata(s256 + `,"dpop_signing_alg_values_supported":["RS256","ES256"]`)
	b.replace["/token"] = func(w http.ResponseWriter, r *http.Request) {
		thumbprint, _ := b.proof(r, "")
		b.mu.Lock()
		defer b.mu.Unlock()
		b.asked++
		token := fmt.Sprintf("secret-bound-%d", b.asked)
		b.bound[token] = thumbprint
		b.json(w, 200, fmt.Sprintf(`{"access_token":%q,"token_type":"DPoP","expires_in":600,
			"refresh_token":"secret-refresh-%d"}`, token, b.asked))
	}
	b.replace["/mcp"] = func(w http.ResponseWriter, r *http.Request) {
		token, dpop := strings.CutPrefix(r.Header.Get("Authorization"), "DPoP ")
		if !dpop {
			w.Header().Set("WWW-Authenticate", `DPoP algs="ES256", scope="a", `+
				`resource_metadata="`+b.URL+`/.well-known/oauth-protected-resource/mcp"`)
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

// proof checks the proof of a request, and that it is new. It returns the key's thumbprint.
func (b *boundEnv) proof(r *http.Request, token string) (thumbprint, nonce string) {
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

func TestDPoPBindsTokens(t *testing.T) {
	t.Parallel()
	b := newBoundEnv(t)
	var tokens tokenstore.Memory
	_, through := b.client(func(config *client.Config) { config.Tokens = &tokens })
	for range 3 {
		code, _ := post(t, through, b.URL+"/mcp?x=y", "hello")
		assert.Equal(t, http.StatusOK, code)
	}
	assert.Len(t, b.pages(), 1)
	assert.Equal(t, 1, b.asked)

	// The key is stored with the token, and binds the next one.
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
		if event, ok := event.(client.Issued); ok {
			issued++
			assert.True(t, event.Bound)
		}
	}
	assert.Equal(t, 2, issued)
}

func TestDPoPRetriesWithNonce(t *testing.T) {
	t.Parallel()
	b := newBoundEnv(t)
	b.nonces = 1
	_, through := b.client(nil)
	for range 2 {
		code, _ := post(t, through, b.URL+"/mcp", "")
		assert.Equal(t, http.StatusOK, code)
	}
	assert.Len(t, b.pages(), 1)

	b = newBoundEnv(t)
	b.nonces = 1000
	_, through = b.client(nil)
	refused(t, through, b.URL+"/mcp")
	assert.Less(t, b.count("POST /mcp")+b.count("GET /mcp"), 20, "the retries are bounded")
}

func TestDPoPFollowsMetadata(t *testing.T) {
	t.Parallel()
	bound := func(t *testing.T, env *testEnv) bool {
		for _, event := range env.told() {
			if issued, ok := event.(client.Issued); ok {
				return issued.Bound
			}
		}
		t.Error("no token was issued")
		return false
	}
	const required = `,"dpop_bound_access_tokens_required":true`
	for _, c := range []struct {
		name      string
		wanted    bool
		supported string
		demand    string
		proves    bool
		says      string
	}{
		{"neither wanted nor demanded", false, `["ES256"]`, "", false, ""},
		{"wanted and supported", true, `["ES256"]`, "", true, ""},
		{"wanted and not supported", true, `[]`, "", false, ""},
		{"wanted with another algorithm", true, `["EdDSA"]`, "", false, ""},
		{"demanded", false, `["ES256"]`, required, true, ""},
		{"demanded with another algorithm", false, `["EdDSA"]`, required, false, "does not support ES256"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			env := newEnv(t)
			env.metadata(s256 + `,"dpop_signing_alg_values_supported":` + c.supported)
			env.replace["/.well-known/oauth-protected-resource/mcp"] = func(w http.ResponseWriter, _ *http.Request) {
				env.json(w, 200, `{"resource":"ORIGIN/mcp","authorization_servers":["ORIGIN"]`+c.demand+`}`)
			}
			proved := false
			env.replace["/token"] = func(w http.ResponseWriter, r *http.Request) {
				proved = r.Header.Get("DPoP") != ""
				env.token(w, r)
			}
			_, through := env.client(func(config *client.Config) { config.DPoP = c.wanted })
			if c.says != "" {
				assert.ErrorContains(t, refused(t, through, env.URL+"/mcp"), c.says)
				return
			}
			code, _ := post(t, through, env.URL+"/mcp", "")
			require.Equal(t, http.StatusOK, code)
			assert.Equal(t, c.proves, proved)
			assert.False(t, bound(t, env), "this authorization server issues bearer tokens, and the client uses them")
		})
	}
}
