package token_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"mcpentra/server/token"
)

// FuzzPreParser checks that every token that passes the pre-parser means the same to a second, less
// strict reader.
func FuzzPreParser(f *testing.F) {
	for _, header := range []string{
		`{"alg":"RS256","kid":"one"}`,
		`{"alg":"RS256","kid":"one","typ":"JWT","x5t":"a"}`,
		`{"alg":"none"}`,
		`{"alg":"RS256","alg":"none","kid":"one"}`,
		`[]`,
	} {
		for _, payload := range []string{
			`{"iss":"` + issuerName + `","aud":"` + audience + `","exp":1795525200}`,
			`{"iss":"x","Iss":"y"}`,
			`{"iss":"` + issuerName + `","aud":"` + audience + `","exp":17955252}`,
			`{"iss":"` + issuerName + `","aud":["a","` + audience + `"],"exp":1.7955252e9,"x":{"y":[1,null]}}`,
		} {
			f.Add(encode(header) + "." + encode(payload) + "." + encode("signature"))
		}
	}
	f.Fuzz(func(t *testing.T, raw string) {
		v := &token.Verifier{Issuer: issuerName, Audiences: []string{audience}, Leeway: -1, Now: clock}
		reached := false
		var expiry float64
		v.Keys = func(_ context.Context, kid string, _ time.Time) ([]jose.JSONWebKey, error) {
			reached = true
			parts := strings.Split(raw, ".")
			require.Len(t, parts, 3)
			var header struct{ Alg, Kid string }
			var claims struct {
				Iss string
				Exp float64
			}
			readLaxly(t, parts[0], &header)
			readLaxly(t, parts[1], &claims)
			require.Equal(t, "RS256", header.Alg)
			require.Equal(t, kid, header.Kid)
			require.Equal(t, issuerName, claims.Iss)
			expiry = claims.Exp
			_, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.RS256})
			require.NoError(t, err, "go-jose reads it too")
			return nil, &token.UnavailableError{Err: errors.New("the keys are away")}
		}
		_, err := v.Verify(t.Context(), raw)
		var invalid *token.InvalidError
		if !reached {
			require.ErrorAs(t, err, &invalid)
			return
		}
		// Without keys, Verify tells an expired token from all others. One second covers fractions.
		expired := errors.As(err, &invalid) && invalid.Reason == token.Expired
		lastGood := float64(noon.Unix())
		require.False(t, expired && expiry > lastGood+1, "the other reader reads the expiry %v", expiry)
		require.False(t, !expired && expiry < lastGood-1, "the other reader reads the expiry %v", expiry)
	})
}

func readLaxly(t *testing.T, segment string, into any) {
	t.Helper()
	decoded, err := base64.RawURLEncoding.DecodeString(segment)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(decoded, into))
}
