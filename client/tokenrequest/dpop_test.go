package tokenrequest_test

import (
	"crypto"
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

// proofClaims are the claims of a DPoP proof (RFC 9449 section 4.2).
type proofClaims struct {
	ID       string `json:"jti"`
	Method   string `json:"htm"`
	URL      string `json:"htu"`
	IssuedAt int64  `json:"iat"`
	Hash     string `json:"ath"`
	Nonce    string `json:"nonce"`
}

// readProof verifies a proof with the key in it. It returns the claims and the key's thumbprint.
func readProof(t *testing.T, proof string) (claims proofClaims, thumbprint string) {
	t.Helper()
	parsed, err := jwt.ParseSigned(proof, []jose.SignatureAlgorithm{jose.ES256})
	require.NoError(t, err)
	header := parsed.Headers[0]
	assert.Equal(t, "dpop+jwt", header.ExtraHeaders["typ"])
	require.NotNil(t, header.JSONWebKey)
	assert.True(t, header.JSONWebKey.IsPublic(), "the proof does not hold the private key")
	require.NoError(t, parsed.Claims(header.JSONWebKey, &claims))
	sum, err := header.JSONWebKey.Thumbprint(crypto.SHA256)
	require.NoError(t, err)
	return claims, base64.RawURLEncoding.EncodeToString(sum)
}

func TestSignMakesProofForOneRequest(t *testing.T) {
	t.Parallel()
	dpop, err := tokenrequest.NewDPoP(noon)
	require.NoError(t, err)
	request := httptest.NewRequest(http.MethodPost, "https://mcp.example.com/mcp?x=y#z", nil)
	require.NoError(t, dpop.Sign(request, "a-1"))
	first, key := readProof(t, request.Header.Get("DPoP"))
	assert.NotEmpty(t, first.ID)
	sum := sha256.Sum256([]byte("a-1"))
	assert.Equal(t, proofClaims{
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
}

func TestReadDPoPReadsKey(t *testing.T) {
	t.Parallel()
	dpop, err := tokenrequest.NewDPoP(noon)
	require.NoError(t, err)
	request := httptest.NewRequest(http.MethodPost, "https://mcp.example.com/mcp", nil)
	require.NoError(t, dpop.Sign(request, ""))
	_, key := readProof(t, request.Header.Get("DPoP"))
	stored, err := dpop.Key()
	require.NoError(t, err)
	again, err := tokenrequest.ReadDPoP(stored, noon)
	require.NoError(t, err)
	require.NoError(t, again.Sign(request, ""))
	claims, sameKey := readProof(t, request.Header.Get("DPoP"))
	assert.Equal(t, key, sameKey)
	assert.Empty(t, claims.Hash, "there is no access token")
	for _, broken := range [][]byte{nil, []byte("secret-key")} {
		_, err = tokenrequest.ReadDPoP(broken, noon)
		require.ErrorContains(t, err, "want a private key in PKCS #8")
		assert.NotContains(t, err.Error(), "secret")
	}
}

func TestKeepNonceIsForOneOrigin(t *testing.T) {
	t.Parallel()
	dpop, err := tokenrequest.NewDPoP(nil)
	require.NoError(t, err)
	request := httptest.NewRequest(http.MethodGet, "https://mcp.example.com/mcp", nil)
	keep := func(nonce string) bool {
		return dpop.KeepNonce(&http.Response{Request: request, Header: http.Header{"Dpop-Nonce": {nonce}}})
	}
	assert.True(t, keep("n-1"))
	assert.False(t, keep("n-1"), "the nonce is the same")
	for _, unusable := range []string{"", "a\r\nb", "ü", string(make([]byte, 5000))} {
		assert.False(t, keep(unusable))
	}
	require.NoError(t, dpop.Sign(request, ""))
	claims, _ := readProof(t, request.Header.Get("DPoP"))
	assert.Equal(t, "n-1", claims.Nonce)
	other := httptest.NewRequest(http.MethodGet, "https://other.example.com/mcp", nil)
	require.NoError(t, dpop.Sign(other, ""))
	claims, _ = readProof(t, other.Header.Get("DPoP"))
	assert.Empty(t, claims.Nonce)
	for i := range 1000 { // servers cannot fill the memory with nonces
		request.URL.Host = fmt.Sprintf("h%d.example.com", i)
		keep("n")
	}
}

func TestTokenRequestRepeatsOnceForNonce(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		refusals int // number of requests that the server refuses with a new nonce
		requests int
	}{
		{"one refusal", 1, 2},
		{"endless refusals", 100, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			requests := 0
			ids := map[string]bool{}
			issuer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				requests++
				claims, _ := readProof(t, r.Header.Get("DPoP"))
				ids[claims.ID] = true
				if requests > 1 {
					assert.Equal(t, fmt.Sprintf("n-%d", requests-1), claims.Nonce)
				}
				w.Header().Set("DPoP-Nonce", fmt.Sprintf("n-%d", requests))
				if requests <= c.refusals {
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
			assert.Equal(t, c.requests, requests)
			assert.Len(t, ids, requests, "each request has a new proof")
			if c.refusals > 1 {
				require.ErrorContains(t, err, "use_dpop_nonce")
				return
			}
			require.NoError(t, err)
			assert.True(t, token.Bound)
		})
	}
}
