package token_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server/token"
)

func TestRemoteRefusesDocument(t *testing.T) {
	t.Parallel()
	cut := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		_, _ = w.Write([]byte(`{"keys":[`))
	}
	compressed := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		packed := gzip.NewWriter(w)
		blanks := bytes.Repeat([]byte(" "), 1<<20)
		for range 256 {
			if _, err := packed.Write(blanks); err != nil {
				return
			}
		}
	}
	endlessRedirect := func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://169.254.169.254/keys", http.StatusPermanentRedirect)
	}
	redirect := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/keys" {
			serving(jose.JSONWebKey{Key: rsaKey().Public(), KeyID: "one"})(w, r)
			return
		}
		http.Redirect(w, r, "/keys", http.StatusFound)
	}
	tests := map[string]http.HandlerFunc{
		"page":                    writing("<html>"),
		"no members":              writing("{}"),
		"no keys":                 writing(`{"keys":[]}`),
		"keys twice":              writing(`{"keys":[],"keys":[]}`),
		"key with two IDs":        writing(`{"keys":[{"kty":"RSA","kid":"x","kid":"one"}]}`),
		"not found":               http.NotFound,
		"cut in the middle":       cut,
		"far too long":            writing(strings.Repeat(" ", 4<<20)),
		"far too long compressed": compressed,
		"too many keys":           writing(`{"keys":[` + strings.Repeat(`{},`, 1000) + `{}]}`),
		"deeply nested":           writing(`{"keys":` + strings.Repeat("[", 100_000)),
		"redirect without end":    endlessRedirect,
		"redirect":                redirect,
		"no content":              func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
		"no usable keys":          writing(`{"keys":[{"kty":"oct","k":"AAAA","kid":"one"}]}`),
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

func TestRemoteSkipsBadKeys(t *testing.T) {
	t.Parallel()
	const (
		thisIssuer = "https://issuer.example/tenant/v2.0"
		template   = "https://issuer.example/{tenantid}/v2.0"
		zeroPoint  = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE"
	)
	rsaMembers := func(bits int) string {
		encoded, err := json.Marshal(jose.JSONWebKey{Key: newRSAKey(bits).Public()})
		require.NoError(t, err)
		return strings.Trim(string(encoded), "{}")
	}
	strong := rsaMembers(2048)
	tests := []struct {
		name string
		key  string
		used bool
	}{
		{"plain key", `{` + strong + `,"kid":"x"}`, true},
		{"for signatures", `{` + strong + `,"kid":"x","use":"sig","key_ops":["verify"]}`, true},
		{"of this issuer", `{` + strong + `,"kid":"x","issuer":"` + thisIssuer + `"}`, true},
		{"of the template", `{` + strong + `,"kid":"x","issuer":"` + template + `"}`, true},
		{"of another issuer", `{` + strong + `,"kid":"x","issuer":"https://issuer.example/other/v2.0"}`, false},
		{"issuer is a number", `{` + strong + `,"kid":"x","issuer":1}`, false},
		{"for encryption", `{` + strong + `,"kid":"x","use":"enc"}`, false},
		{"for signing only", `{` + strong + `,"kid":"x","key_ops":["sign"]}`, false},
		{"no ID", `{` + strong + `}`, false},
		{"too short", `{` + rsaMembers(1024) + `,"kid":"x"}`, false},
		{"exponent is 1", `{` + strings.Replace(strong, `"AQAB"`, `"AQ"`, 1) + `,"kid":"x"}`, false},
		{"shared secret", `{"kty":"oct","k":"c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0","kid":"x"}`, false},
		{"unknown kind", `{"kty":"XYZ","kid":"x"}`, false},
		{"not an object", `"x"`, false},
		{"even exponent", `{` + strings.Replace(strong, `"AQAB"`, `"AQAC"`, 1) + `,"kid":"x"}`, false},
		{"published private key", privateMembers(t), false},
		{"ID is a number", `{` + strong + `,"kid":1}`, false},
		{"ID is too long", `{` + strong + `,"kid":"` + strings.Repeat("x", 600) + `"}`, false},
		{
			"X25519",
			`{"kty":"OKP","crv":"X25519","x":"hSDwCYkwp1R0i33ctD73Wg2_Og0mOBr066SpjqqbTmo","kid":"x"}`,
			false,
		},
		{
			"Ed25519",
			`{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"x"}`,
			true,
		},
		{"unknown curve", `{"kty":"EC","crv":"P-256K","x":"AA","y":"AA","kid":"x"}`, false},
		{"of the faulty generator (ROCA)", `{` + rocaMembers(t) + `,"kid":"x"}`, false},
		{"meaningless certificate", `{` + strong + `,"kid":"x","x5c":["AAAA"]}`, false},
		{
			"point off the curve",
			`{"kty":"EC","crv":"P-256","x":"` + zeroPoint + `","y":"` + zeroPoint + `","kid":"x"}`,
			false,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
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

func TestVerifyTriesKeysWithSameID(t *testing.T) {
	t.Parallel()
	s := newKeyServer(t)
	s.answer(serving(
		jose.JSONWebKey{Key: ecKey().Public(), KeyID: "one"},
		jose.JSONWebKey{Key: newRSAKey(2048).Public(), KeyID: "one"},
		jose.JSONWebKey{Key: rsaKey().Public(), KeyID: "one"},
	))
	v := verifier()
	v.Keys = s.remote().Keys
	_, err := v.Verify(t.Context(), mint(t, nil))
	require.NoError(t, err)
}

func TestRemotesShareNoKeys(t *testing.T) {
	t.Parallel()
	mine := newKeyServer(t)
	others := newKeyServer(t)
	others.answer(serving(jose.JSONWebKey{Key: newRSAKey(2048).Public(), KeyID: "one"}))
	here := verifier()
	there := verifier()
	here.Keys = mine.remote().Keys
	there.Keys = others.remote().Keys
	for range 2 {
		_, err := here.Verify(t.Context(), mint(t, nil))
		require.NoError(t, err)
		_, err = there.Verify(t.Context(), mint(t, nil))
		assert.Equal(t, token.BadSignature, reasonOf(t, err), "a key ID of another issuer names another key")
	}
}
