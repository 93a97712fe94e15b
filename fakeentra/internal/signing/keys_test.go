package signing

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func TestKeysRotate(t *testing.T) {
	t.Parallel()
	keys := NewKeys()
	before := keys.Published()
	require.NoError(t, keys.Rotate(now, false))
	after := keys.Published()
	assert.Equal(t, before[1:], after[:2], "the oldest key is withdrawn")
	assert.Same(t, before[2], keys.Active(), "the next key signs")
	assert.Same(t, before[1], keys.Previous())
	assert.Same(t, after[2], keys.Next())
	assert.Len(t, keys.Personal(), 1, "common publishes the key of personal accounts, although no tenant signs with it")
	keys.Reset()
	assert.Equal(t, before, keys.Published())
	assert.Len(t, keys.Personal(), 1)
}

func TestKeysEmergencyRotate(t *testing.T) {
	t.Parallel()
	keys := NewKeys()
	lost := keys.Active()
	next := keys.Next()
	personal := keys.Personal()[0]
	require.NoError(t, keys.EmergencyRotate(now, true))
	assert.NotContains(t, keys.Published(), lost)
	assert.Same(t, next, keys.Active())
	assert.NotContains(t, keys.Personal(), personal)
	assert.Len(t, keys.Personal(), 1)
}

func TestKeysVerify(t *testing.T) {
	t.Parallel()
	keys := NewKeys()
	claims := map[string]any{"aud": "api://files", "exp": now.Add(time.Hour).Unix()}
	good := JWT(claims, false, keys.Active())
	parts := strings.Split(good, ".")
	text := base64.RawURLEncoding.EncodeToString([]byte("{"))
	for _, test := range []struct {
		name  string
		token string
		want  error
	}{
		{"a token of the active key", good, nil},
		{"a token of the next key", JWT(claims, true, keys.Next()), nil},
		{"a token of a personal key", JWT(claims, true, keys.ActivePersonal()), nil},
		{"a token of an app's own key", JWT(claims, true, keys.Own("id", "an app", now)), nil},
		{"a token for Graph", GraphJWT(claims, []byte("nonce"), keys.Active()), nil},
		{"an expired token", JWT(map[string]any{"exp": now.Unix()}, false, keys.Active()), ErrExpired},
		{"a token of a stranger", JWT(claims, false, Stranger()), ErrForeign},
		{"two parts", parts[0] + "." + parts[1], ErrMalformed},
		{"a header that is not base64", "!." + parts[1] + "." + parts[2], ErrMalformed},
		{"no algorithm", encode(Header{Algorithm: "none"}) + "." + parts[1] + ".", ErrMalformed},
		{"an algorithm of secrets", encode(Header{Algorithm: "HS256"}) + "." + parts[1] + ".AAAA", ErrAlgorithm},
		{"another signature", parts[0] + "." + parts[1] + ".AAAA", ErrForeign},
	} {
		got, err := keys.Verify(test.token, now)
		require.ErrorIs(t, err, test.want, test.name)
		if test.want == nil {
			assert.Equal(t, "api://files", got["aud"], test.name)
		}
	}
	_, err := keys.Verify(text+"."+parts[1]+"."+parts[2], now)
	assert.ErrorIs(t, err, ErrMalformed, "a header that is not JSON")
}

func TestDraftSigns(t *testing.T) {
	t.Parallel()
	key := NewKeys().Active()
	for _, test := range []struct {
		name      string
		draft     Draft
		header    string
		payload   string
		signature int // bytes
	}{
		{"RS256", Draft{Algorithm: "RS256"}, `{"typ":"JWT","alg":"x","kid":""}`, `{"a":1}`, 256},
		{"PS256", Draft{Algorithm: "PS256"}, `{"typ":"JWT","alg":"x","kid":""}`, `{"a":1}`, 256},
		{"HS256", Draft{Algorithm: "HS256"}, `{"typ":"JWT","alg":"x","kid":""}`, `{"a":1}`, 32},
		{"no signature", Draft{Algorithm: "none"}, `{"typ":"JWT","alg":"x","kid":""}`, `{"a":1}`, 0},
		{
			"a changed header",
			Draft{Algorithm: "none", Changes: map[string]any{"kid": nil, "alg": "nOnE"}},
			`{"alg":"nOnE","typ":"JWT"}`,
			`{"a":1}`,
			0,
		},
		{
			"a payload in place of the claims",
			Draft{Algorithm: "none", Payload: []byte(`{"a":1,"a":2}`)},
			`{"typ":"JWT","alg":"x","kid":""}`,
			`{"a":1,"a":2}`,
			0,
		},
	} {
		test.draft.Header = Header{Type: "JWT", Algorithm: "x"}
		test.draft.Claims = map[string]any{"a": 1}
		test.draft.Key = key
		token, err := test.draft.Sign()
		require.NoError(t, err, test.name)
		parts := strings.Split(token, ".")
		require.Len(t, parts, 3, test.name)
		var decoded []string
		for _, part := range parts {
			text, err := base64.RawURLEncoding.DecodeString(part)
			require.NoError(t, err, test.name)
			decoded = append(decoded, string(text))
		}
		assert.Equal(t, test.header, decoded[0], test.name)
		assert.Equal(t, test.payload, decoded[1], test.name)
		assert.Len(t, decoded[2], test.signature, test.name)
	}
	_, err := (&Draft{Algorithm: "RS1", Key: key}).Sign()
	assert.ErrorContains(t, err, `unknown algorithm "RS1"`)
}
