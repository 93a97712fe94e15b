package token

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestLimitBoundsChecks takes all turns, as a flood of bad signatures does.
func TestLimitBoundsChecks(t *testing.T) {
	t.Parallel()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: key, KeyID: "one"}},
		(&jose.SignerOptions{}).WithType("JWT"),
	)
	require.NoError(t, err)
	synctest.Test(t, func(t *testing.T) {
		mint := func(subject string) string {
			raw, err := jwt.Signed(signer).Claims(map[string]any{
				"iss": "issuer",
				"aud": "audience",
				"sub": subject,
				"exp": time.Now().Add(time.Hour).Unix(),
			}).Serialize()
			require.NoError(t, err)
			return raw
		}
		v := &Verifier{
			Issuer:    "issuer",
			Audiences: []string{"audience"},
			Keys:      StaticKeys(jose.JSONWebKey{Key: key, KeyID: "one"}),
			Limit:     NewLimit(),
		}
		cache := NewCache(0, v.Verify, func(c *Claims) (string, error) { return c.Subject, nil })
		warm := mint("warm")
		_, err := cache.Verify(t.Context(), warm)
		require.NoError(t, err)

		for range cap(v.Limit.turns) {
			require.NoError(t, v.Limit.begin(t.Context()))
		}
		subject, err := cache.Verify(t.Context(), warm)
		require.NoError(t, err, "a remembered token does not wait")
		assert.Equal(t, "warm", subject)
		_, err = cache.Verify(t.Context(), warm+".x")
		assert.EqualError(t, err, NewInvalidError(NotThreeParts).Error(), "a malformed token does not wait")

		answered := make(chan error, 2)
		go func() {
			_, err := cache.Verify(t.Context(), mint("cold"))
			answered <- err
		}()
		gone, leave := context.WithCancel(t.Context())
		go func() {
			_, err := cache.Verify(gone, mint("impatient"))
			answered <- err
		}()
		synctest.Wait()
		assert.Empty(t, answered, "other tokens wait")
		leave()
		assert.ErrorIs(t, <-answered, context.Canceled)

		v.Limit.waiting.Add(maxWaiting - 1)
		_, err = cache.Verify(t.Context(), mint("late"))
		var unavailable *UnavailableError
		require.ErrorAs(t, err, &unavailable, "too many tokens wait")
		assert.Equal(t, time.Second, unavailable.RetryAfter)
		v.Limit.waiting.Add(1 - maxWaiting)

		v.Limit.end()
		assert.NoError(t, <-answered)
		_, err = cache.Verify(t.Context(), mint("next"))
		assert.NoError(t, err, "the turn has been given back")
		assert.Zero(t, v.Limit.waiting.Load())
	})
}
