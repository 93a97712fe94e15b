package token_test

import (
	"bytes"
	"compress/gzip"
	"crypto/rsa"
	"fmt"
	"math/big"
	"mcpentra/server/token"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestADocumentThatIsNoneIsNotUsed(t *testing.T) {
	t.Parallel()
	tests := map[string]http.HandlerFunc{
		"a page":     func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) },
		"no members": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("{}")) },
		"no keys":    func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"keys":[]}`)) },
		"keys twice": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"keys":[],"keys":[]}`)) },
		"a key with two ids": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"keys":[{"kty":"RSA","kid":"x","kid":"one"}]}`))
		},
		"not found": http.NotFound,
		"cut in the middle": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write([]byte(`{"keys":[`))
		},
		"far too long": func(w http.ResponseWriter, _ *http.Request) {
			for range 64 {
				if _, err := w.Write([]byte(strings.Repeat(" ", 64<<10))); err != nil {
					return
				}
			}
		},
		"far too long, compressed": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			packed := gzip.NewWriter(w)
			for range 256 {
				if _, err := packed.Write(bytes.Repeat([]byte(" "), 1<<20)); err != nil {
					return
				}
			}
		},
		"more keys than anybody has": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"keys":[` + strings.Repeat(`{},`, 1000) + `{}]}`))
		},
		"nested deep": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"keys":` + strings.Repeat("[", 100_000)))
		},
		"moved for ever": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://169.254.169.254/keys", http.StatusPermanentRedirect)
		},
		"no content": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
		"keys of no use": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"keys":[{"kty":"oct","k":"AAAA","kid":"one"}]}`))
		},
		"a redirect": func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/keys" {
				_ = json.MarshalWrite(
					w,
					jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: rsaKey().Public(), KeyID: "one"}}},
				)
				return
			}
			http.Redirect(w, r, "/keys", http.StatusFound)
		},
	}
	for name, handle := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newKeyServer(t)
			s.answer(handle)
			_, err := s.remote().Keys(t.Context(), "one", s.clock())
			wantUnavailable(t, err, 5*time.Second)
			assert.EqualValues(t, 1, s.fetches.Load())
		})
	}
}

func TestABadKeyIsLeftOutAndSpoilsNothing(t *testing.T) {
	t.Parallel()
	const thisIssuer, template = "https://issuer.example/tenant/v2.0", "https://issuer.example/{tenantid}/v2.0"
	rsaMembers := func(bits int) string {
		encoded, err := json.Marshal(jose.JSONWebKey{Key: newRSAKey(bits).Public()})
		require.NoError(t, err)
		return strings.Trim(string(encoded), "{}")
	}
	strong := rsaMembers(2048)
	tests := map[string]struct {
		key  string
		used bool
	}{
		"a plain key":               {`{` + strong + `,"kid":"x"}`, true},
		"for signatures":            {`{` + strong + `,"kid":"x","use":"sig","key_ops":["verify"]}`, true},
		"of this issuer":            {`{` + strong + `,"kid":"x","issuer":"` + thisIssuer + `"}`, true},
		"of the template":           {`{` + strong + `,"kid":"x","issuer":"` + template + `"}`, true},
		"of another issuer":         {`{` + strong + `,"kid":"x","issuer":"https://issuer.example/other/v2.0"}`, false},
		"an issuer that is no text": {`{` + strong + `,"kid":"x","issuer":1}`, false},
		"for encryption":            {`{` + strong + `,"kid":"x","use":"enc"}`, false},
		"for signing only":          {`{` + strong + `,"kid":"x","key_ops":["sign"]}`, false},
		"no id":                     {`{` + strong + `}`, false},
		"too short":                 {`{` + rsaMembers(1024) + `,"kid":"x"}`, false},
		"an exponent of 1":          {`{` + strings.Replace(strong, `"AQAB"`, `"AQ"`, 1) + `,"kid":"x"}`, false},
		"a shared secret":           {`{"kty":"oct","k":"c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0","kid":"x"}`, false},
		"a kind nobody knows":       {`{"kty":"XYZ","kid":"x"}`, false},
		"not an object":             {`"x"`, false},
		"an even exponent":          {`{` + strings.Replace(strong, `"AQAB"`, `"AQAC"`, 1) + `,"kid":"x"}`, false},
		"a published private key":   {privateMembers(t), false},
		"an id that is a number":    {`{` + strong + `,"kid":1}`, false},
		"an id far too long":        {`{` + strong + `,"kid":"` + strings.Repeat("x", 600) + `"}`, false},
		"X25519": {
			`{"kty":"OKP","crv":"X25519","x":"hSDwCYkwp1R0i33ctD73Wg2_Og0mOBr066SpjqqbTmo","kid":"x"}`,
			false,
		},
		"Ed25519": {
			`{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"x"}`,
			true,
		},
		"a curve nobody knows":    {`{"kty":"EC","crv":"P-256K","x":"AA","y":"AA","kid":"x"}`, false},
		"of the faulty generator": {`{` + rocaMembers(t) + `,"kid":"x"}`, false},
		"a certificate of noise":  {`{` + strong + `,"kid":"x","x5c":["AAAA"]}`, false},
		"a point off the curve": {
			`{"kty":"EC","crv":"P-256","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE","y":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE","kid":"x"}`,
			false,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newKeyServer(t)
			s.answer(func(w http.ResponseWriter, _ *http.Request) {
				_, _ = fmt.Fprintf(w, `{"keys":[%s,{%s,"kid":"neighbour"}]}`, test.key, strong)
			})
			remote := s.remote()
			remote.Issuers = []string{thisIssuer, template}
			_, err := remote.Keys(t.Context(), "neighbour", s.clock())
			require.NoError(t, err)
			_, err = remote.Keys(t.Context(), "x", s.clock().Add(-time.Minute))
			if test.used {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, token.ErrUnknownKey)
		})
	}
}

func privateMembers(t *testing.T) string {
	t.Helper()
	encoded, err := json.Marshal(jose.JSONWebKey{Key: rsaKey(), KeyID: "x"})
	require.NoError(t, err)
	return string(encoded)
}

func rocaMembers(t *testing.T) string {
	t.Helper()
	small := big.NewInt(1)
	for candidate := int64(2); candidate < 170; candidate++ {
		if big.NewInt(candidate).ProbablyPrime(20) {
			small.Mul(small, big.NewInt(candidate))
		}
	}
	modulus := new(big.Int).Lsh(big.NewInt(1), 2047)
	modulus.Sub(modulus, new(big.Int).Mod(modulus, small)).Add(modulus, small).Add(modulus, big.NewInt(1))
	encoded, err := json.Marshal(jose.JSONWebKey{Key: &rsa.PublicKey{N: modulus, E: 65537}})
	require.NoError(t, err)
	return strings.Trim(string(encoded), "{}")
}

func TestTwoKeysWithOneIDAreBothTried(t *testing.T) {
	t.Parallel()
	s := newKeyServer(t)
	s.answer(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.MarshalWrite(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
			{
				Key:   ecKey().Public(),
				KeyID: "one",
			}, {Key: newRSAKey(2048).Public(), KeyID: "one"}, {Key: rsaKey().Public(), KeyID: "one"},
		}})
	})
	v := verifier()
	v.Keys = s.remote().Keys
	_, err := v.Verify(t.Context(), mint(t, nil))
	require.NoError(t, err)
}

func TestAKeyBelongsToItsIssuer(t *testing.T) {
	t.Parallel()
	mine := newKeyServer(t)
	others := newKeyServer(t)
	others.answer(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.MarshalWrite(
			w,
			jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: newRSAKey(2048).Public(), KeyID: "one"}}},
		)
	})
	here := verifier()
	there := verifier()
	here.Keys = mine.remote().Keys
	there.Keys = others.remote().Keys
	for range 2 {
		_, err := here.Verify(t.Context(), mint(t, nil))
		require.NoError(t, err)
		_, err = there.Verify(t.Context(), mint(t, nil))
		assert.Equal(t, token.BadSignature, reasonOf(t, err), "the same key id at another issuer is another key")
	}
}
