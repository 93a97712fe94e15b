package token_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server/token"
)

// cacheEnv is a cache in front of a verifier whose clock and keys a test can change. It counts the
// verifications.
type cacheEnv struct {
	now      time.Time
	keys     []jose.JSONWebKey
	err      error
	verified atomic.Int32
	cache    *token.Cache[string]
}

func newCacheEnv(size int) *cacheEnv {
	w := &cacheEnv{now: noon, keys: []jose.JSONWebKey{{Key: rsaKey().Public(), KeyID: "one"}}}
	v := &token.Verifier{
		Issuer:    issuerName,
		Audiences: []string{audience},
		Now:       func() time.Time { return w.now },
		Keys: func(ctx context.Context, kid string, issued time.Time) ([]jose.JSONWebKey, error) {
			if w.err != nil {
				return nil, w.err
			}
			return token.StaticKeys(w.keys...)(ctx, kid, issued)
		},
	}
	w.cache = token.NewCache(size, func(ctx context.Context, raw string) (*token.Claims, error) {
		w.verified.Add(1)
		return v.Verify(ctx, raw)
	}, func(c *token.Claims) (string, error) {
		if c.Subject == "unreadable" {
			return "", token.NewInvalidError(token.BadClaims)
		}
		return c.Subject, nil
	})
	return w
}

func TestCacheRemembersToken(t *testing.T) {
	t.Parallel()
	w := newCacheEnv(0)
	raw := mint(t, nil)
	for range 3 {
		subject, err := w.cache.Verify(t.Context(), raw)
		require.NoError(t, err)
		assert.Equal(t, "user", subject)
	}
	assert.EqualValues(t, 1, w.verified.Load())
}

func TestCacheComparesEveryByte(t *testing.T) {
	t.Parallel()
	w := newCacheEnv(0)
	raw := mint(t, nil)
	_, err := w.cache.Verify(t.Context(), raw)
	require.NoError(t, err)
	for i := range raw {
		for _, other := range []byte{'A', 'B', '.', 'a'} {
			if other == raw[i] {
				continue
			}
			_, err := w.cache.Verify(t.Context(), raw[:i]+string(other)+raw[i+1:])
			require.Error(t, err, "byte %d", i)
		}
	}
	_, err = w.cache.Verify(t.Context(), raw+"A")
	require.Error(t, err)
	assert.Equal(t, 1, w.cache.Len(), "the cache remembers no bad token")
}

func TestCacheEntryExpires(t *testing.T) {
	t.Parallel()
	w := newCacheEnv(0)
	raw := mint(t, map[string]any{"exp": noon.Unix() + 100})
	_, err := w.cache.Verify(t.Context(), raw)
	require.NoError(t, err)
	w.now = noon.Add(160 * time.Second) // 100 and a minute of leeway
	for range 2 {                       // remembered, and then not
		subject, err := w.cache.Verify(t.Context(), raw)
		assert.Equal(t, token.Expired, reasonOf(t, err))
		assert.Equal(t, "user", subject, "the token has no other fault")
		assert.Zero(t, w.cache.Len())
	}
	w.now = noon.Add(-time.Hour)
	_, err = w.cache.Verify(t.Context(), raw)
	assert.Equal(t, token.NotYetValid, reasonOf(t, err))
}

func TestCacheEntryNeedsItsKey(t *testing.T) {
	t.Parallel()
	raw := mint(t, nil)
	withdraw := func(w *cacheEnv) { w.keys = nil }
	replace := func(w *cacheEnv) { w.keys[0].Key = newRSAKey(2048).Public() }
	late := func(change func(*cacheEnv)) func(*cacheEnv) {
		return func(w *cacheEnv) {
			w.now = noon.Add(24 * time.Hour)
			change(w)
		}
	}
	for name, test := range map[string]struct {
		change func(*cacheEnv)
		want   token.Reason
	}{
		"withdrawn":                         {withdraw, token.UnknownKey},
		"replaced":                          {replace, token.BadSignature},
		"withdrawn after the token expired": {late(withdraw), token.UnknownKey},
		"replaced after the token expired":  {late(replace), token.BadSignature},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newCacheEnv(0)
			_, err := w.cache.Verify(t.Context(), raw)
			require.NoError(t, err)
			test.change(w)
			_, err = w.cache.Verify(t.Context(), raw)
			assert.Equal(t, test.want, reasonOf(t, err))
			assert.Zero(t, w.cache.Len())
		})
	}
	t.Run("unavailable", func(t *testing.T) {
		t.Parallel()
		w := newCacheEnv(0)
		_, err := w.cache.Verify(t.Context(), raw)
		require.NoError(t, err)
		w.err = errors.New("no answer")
		_, err = w.cache.Verify(t.Context(), raw)
		var unavailable *token.UnavailableError
		require.ErrorAs(t, err, &unavailable)
		w.err = nil
		_, err = w.cache.Verify(t.Context(), raw)
		require.NoError(t, err)
		assert.EqualValues(t, 1, w.verified.Load(), "the cache keeps the token through a short fault")
	})
}

func TestCacheIsBounded(t *testing.T) {
	t.Parallel()
	w := newCacheEnv(3)
	for i := range 10 {
		_, err := w.cache.Verify(t.Context(), mint(t, map[string]any{"sub": fmt.Sprint(i)}))
		require.NoError(t, err)
	}
	assert.Equal(t, 3, w.cache.Len())
	_, err := w.cache.Verify(t.Context(), mint(t, map[string]any{"sub": "unreadable"}))
	require.Error(t, err)
	assert.Equal(t, 3, w.cache.Len())

	none := newCacheEnv(-1)
	for range 2 {
		_, err := none.cache.Verify(t.Context(), mint(t, nil))
		require.NoError(t, err)
	}
	assert.EqualValues(t, 2, none.verified.Load())
}

// BenchmarkVerify measures a remembered token, and a new one.
func BenchmarkVerify(b *testing.B) {
	raw := mint(b, nil)
	for name, size := range map[string]int{"remembered": 10, "anew": -1} {
		w := newCacheEnv(size)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := w.cache.Verify(b.Context(), raw); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestIssuersShareNothing(t *testing.T) {
	t.Parallel()
	other := verifier()
	other.Issuer = "https://other.example"
	other.Keys = token.StaticKeys(jose.JSONWebKey{Key: newRSAKey(2048).Public(), KeyID: "one"})
	issuers := token.Issuers{issuerName: verifier(), other.Issuer: other}
	_, err := issuers.Verify(t.Context(), mint(t, nil))
	require.NoError(t, err)
	_, err = issuers.Verify(t.Context(), mint(t, map[string]any{"iss": other.Issuer}))
	assert.Equal(t, token.BadSignature, reasonOf(t, err), "the same key ID at another issuer")
	for _, issuer := range []any{"https://third.example", nil, ""} {
		_, err = issuers.Verify(t.Context(), mint(t, map[string]any{"iss": issuer}))
		assert.Equal(t, token.WrongIssuer, reasonOf(t, err))
	}
	_, err = issuers.Verify(t.Context(), mint(t, map[string]any{"iss": []string{issuerName}}))
	assert.Equal(t, token.BadClaims, reasonOf(t, err))
	_, err = issuers.Verify(t.Context(), "a.b")
	assert.Equal(t, token.NotThreeParts, reasonOf(t, err))
	assert.Equal(t, issuerName, token.UnverifiedIssuer(mint(t, nil)))
	assert.Empty(t, token.UnverifiedIssuer("a.b.c"))
}
