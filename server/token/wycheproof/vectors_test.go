package wycheproof_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/c2sp/wycheproof"
	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server/token"
)

// ours are the algorithms that the server accepts: Entra's and its own. The verifier has to refuse
// vectors of other algorithms, even if Wycheproof calls them valid.
var ours = []string{"RS256", "ES256"}

// group is a key or a set of keys, with the texts that it signed.
type group struct {
	Comment string          `json:"comment"`
	Public  json.RawMessage `json:"public"`
	Private json.RawMessage `json:"private"` // set alone for a shared secret
	Tests   []struct {
		ID      int             `json:"tcId"`
		Comment string          `json:"comment"`
		JWS     json.RawMessage `json:"jws"` // a string in compact serialization, or an object
		Result  string          `json:"result"`
	} `json:"tests"`
}

func TestSignatures(t *testing.T) {
	t.Parallel()
	judge(
		t,
		"json_web_signature_test.json",
		401,
		func(key json.RawMessage) []json.RawMessage { return []json.RawMessage{key} },
	)
}

func TestKeys(t *testing.T) {
	t.Parallel()
	judge(t, "json_web_key_test.json", 26, func(set json.RawMessage) []json.RawMessage {
		var keys struct {
			Keys []json.RawMessage `json:"keys"`
		}
		require.NoError(t, json.Unmarshal(set, &keys))
		return keys.Keys
	})
}

// judge verifies every vector of a file. The keys come from a JWKS document over HTTP, like an
// issuer's.
func judge(t *testing.T, file string, total int, keysOf func(json.RawMessage) []json.RawMessage) {
	t.Helper()
	text, err := fs.ReadFile(wycheproof.TestVectors, file)
	require.NoError(t, err)
	var vectors struct {
		Groups []group `json:"testGroups"`
	}
	require.NoError(t, json.Unmarshal(text, &vectors))
	judged := 0
	accepted := 0
	foreign := 0
	for _, group := range vectors.Groups {
		published := group.Public
		if published == nil {
			published = group.Private
		}
		keys := keysOf(published)
		verifier := &token.Verifier{Algorithms: ours, Keys: source(t, keys)}
		for _, vector := range group.Tests {
			judged++
			want := vector.Result == "valid"
			if !isOurs(t, keys) {
				foreign++
				want = false
			}
			var compact string
			if json.Unmarshal(vector.JWS, &compact) != nil {
				compact = string(vector.JWS) // JSON serialization, as a client would send it
			}
			_, err := verifier.VerifySignature(t.Context(), compact)
			name := fmt.Sprintf("vector %d of %s: %s, %s", vector.ID, file, group.Comment, vector.Comment)
			if err == nil {
				accepted++
			} else {
				var invalid *token.InvalidError
				var unavailable *token.UnavailableError
				assert.True(t, errors.As(err, &invalid) || errors.As(err, &unavailable), "%s: %v", name, err)
			}
			assert.Equal(t, want, err == nil, "%s: %v", name, err)
		}
	}
	assert.Equal(t, total, judged, "every vector counts")
	t.Logf(
		"%s: %d vectors verified, %d accepted; %d have algorithms besides %v and are refused",
		file,
		judged,
		accepted,
		foreign,
		ours,
	)
}

// isOurs reports whether a vector has a key of our algorithms. The kind of a key without an
// algorithm decides.
func isOurs(t *testing.T, keys []json.RawMessage) bool {
	t.Helper()
	return slices.ContainsFunc(keys, func(key json.RawMessage) bool {
		var members struct {
			Algorithm string `json:"alg"`
			Kind      string `json:"kty"`
		}
		require.NoError(t, json.Unmarshal(key, &members))
		return slices.Contains(ours, members.Algorithm) || members.Algorithm == "" && members.Kind != "oct"
	})
}

// source publishes keys together with an unused good key, because a Remote refuses a document
// without usable keys.
func source(t *testing.T, keys []json.RawMessage) token.KeySource {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	neighbour, err := json.Marshal(jose.JSONWebKey{Key: key.Public(), KeyID: "neighbour", Use: "sig"})
	require.NoError(t, err)
	document, err := json.Marshal(map[string]any{"keys": append(slices.Clone(keys), neighbour)})
	require.NoError(t, err)
	server := httptest.NewServer(
		http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(document) }),
	)
	t.Cleanup(server.Close)
	return (&token.Remote{URL: server.URL, HTTPClient: server.Client()}).Keys
}
