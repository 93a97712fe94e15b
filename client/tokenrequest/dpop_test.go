package tokenrequest_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client/tokenrequest"
)

type proof struct {
	ID       string `json:"jti"`
	Method   string `json:"htm"`
	URL      string `json:"htu"`
	IssuedAt int64  `json:"iat"`
	Hash     string `json:"ath"`
	Nonce    string `json:"nonce"`
}

// readProof checks a proof with the key in it, and returns what it says and the key's thumbprint.
func readProof(t *testing.T, text string) (proof, string) {
	t.Helper()
	parsed, err := jwt.ParseSigned(text, []jose.SignatureAlgorithm{jose.ES256})
	require.NoError(t, err)
	header := parsed.Headers[0]
	assert.Equal(t, "dpop+jwt", header.ExtraHeaders["typ"])
	require.NotNil(t, header.JSONWebKey)
	assert.True(t, header.JSONWebKey.IsPublic(), "the private key stays")
	var claims proof
	require.NoError(t, parsed.Claims(header.JSONWebKey, &claims))
	sum, err := header.JSONWebKey.Thumbprint(5) // crypto.SHA256
	require.NoError(t, err)
	return claims, base64.RawURLEncoding.EncodeToString(sum)
}

func TestProofIsForOneRequest(t *testing.T) {
	t.Parallel()
	dpop, err := tokenrequest.NewDPoP(noon)
	require.NoError(t, err)
	request := httptest.NewRequest(http.MethodPost, "https://mcp.example.com/mcp?x=y#z", nil)
	require.NoError(t, dpop.Sign(request, "a-1"))
	first, key := readProof(t, request.Header.Get("DPoP"))
	assert.NotEmpty(t, first.ID)
	sum := sha256.Sum256([]byte("a-1"))
	assert.Equal(t, proof{
		ID:       first.ID,
		Method:   "POST",
		URL:      "https://mcp.example.com/mcp",
		IssuedAt: noon().Unix(),
		Hash:     base64.RawURLEncoding.EncodeToString(sum[:]),
	}, first)
	require.NoError(t, dpop.Sign(request, "a-1"))
	second, sameKey := readProof(t, request.Header.Get("DPoP"))
	assert.NotEqual(t, first.ID, second.ID)
	assert.Equal(t, key, sameKey)

	kept, err := dpop.Key()
	require.NoError(t, err)
	again, err := tokenrequest.ReadDPoP(kept, noon)
	require.NoError(t, err)
	require.NoError(t, again.Sign(request, ""))
	third, sameKey := readProof(t, request.Header.Get("DPoP"))
	assert.Equal(t, key, sameKey)
	assert.Empty(t, third.Hash, "there is no token yet")
	for _, broken := range [][]byte{nil, []byte("secret-key")} {
		_, err = tokenrequest.ReadDPoP(broken, noon)
		require.ErrorContains(t, err, "cannot be read")
		assert.NotContains(t, err.Error(), "secret")
	}
}

func TestNonceIsForItsOrigin(t *testing.T) {
	t.Parallel()
	dpop, err := tokenrequest.NewDPoP(nil)
	require.NoError(t, err)
	request := httptest.NewRequest(http.MethodGet, "https://mcp.example.com/mcp", nil)
	hear := func(nonce string) bool {
		return dpop.Hear(&http.Response{Request: request, Header: http.Header{"Dpop-Nonce": {nonce}}})
	}
	assert.True(t, hear("n-1"))
	assert.False(t, hear("n-1"), "nothing new")
	for _, unusable := range []string{"", "a\r\nb", "ü", string(make([]byte, 5000))} {
		assert.False(t, hear(unusable))
	}
	require.NoError(t, dpop.Sign(request, ""))
	claims, _ := readProof(t, request.Header.Get("DPoP"))
	assert.Equal(t, "n-1", claims.Nonce)
	other := httptest.NewRequest(http.MethodGet, "https://other.example.com/mcp", nil)
	require.NoError(t, dpop.Sign(other, ""))
	claims, _ = readProof(t, other.Header.Get("DPoP"))
	assert.Empty(t, claims.Nonce)
	for i := range 1000 { // a server cannot have us keep without end
		request.URL.Host = fmt.Sprintf("h%d.example.com", i)
		hear("n")
	}
}

func TestTokenEndpointThatWantsANonce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		nonces int // how many requests are refused for want of a new one
		asked  int
	}{"once": {1, 2}, "for ever": {100, 2}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			asked := 0
			ids := map[string]bool{}
			issuer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked++
				claims, _ := readProof(t, r.Header.Get("DPoP"))
				ids[claims.ID] = true
				if asked > 1 {
					assert.Equal(t, fmt.Sprintf("n-%d", asked-1), claims.Nonce)
				}
				w.Header().Set("DPoP-Nonce", fmt.Sprintf("n-%d", asked))
				if asked <= c.nonces {
					w.WriteHeader(http.StatusBadRequest)
					_ = json.NewEncoder(w).Encode(map[string]string{"error": "use_dpop_nonce"})
					return
				}
				_ = json.NewEncoder(w).Encode(map[string]string{"access_token": "a-1", "token_type": "DPoP"})
			}))
			defer issuer.Close()
			dpop, err := tokenrequest.NewDPoP(noon)
			require.NoError(t, err)
			endpoint := tokenrequest.Endpoint{URL: issuer.URL, HTTPClient: issuer.Client(), DPoP: dpop}
			token, err := endpoint.Refresh(t.Context(), "r-1", "")
			assert.Equal(t, c.asked, asked)
			assert.Len(t, ids, asked, "a fresh proof each time")
			if c.nonces > 1 {
				require.ErrorContains(t, err, "use_dpop_nonce")
				return
			}
			require.NoError(t, err)
			assert.True(t, token.Bound)
		})
	}
}
