package broker_test

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server/broker"
)

func TestRefresh(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	c := w.public()
	other := w.public()
	first := w.signedIn(c)
	_, status := w.token(refreshing(other, first.Refresh))
	assert.Equal(t, 400, status)
	second, status := w.token(refreshing(c, first.Refresh))
	require.Equal(t, 200, status)
	assert.NotEqual(t, first.Refresh, second.Refresh)
	repeated, status := w.token(refreshing(c, first.Refresh))
	require.Equal(t, 200, status)
	assert.Equal(t, second.Refresh, repeated.Refresh)
	third, status := w.token(refreshing(c, second.Refresh))
	require.Equal(t, 200, status)
	parts := strings.Split(first.Refresh, ".")
	parts[1] = base64.RawURLEncoding.EncodeToString(make([]byte, 36))
	w.token(refreshing(c, strings.Join(parts, ".")))
	assert.True(t, w.good(third.Access), "a forged token ends nothing")
	w.token(refreshing(other, first.Refresh))
	assert.True(t, w.good(third.Access), "another client ends nothing")
	_, status = w.token(refreshing(c, first.Refresh))
	assert.Equal(t, 400, status)
	_, status = w.token(refreshing(c, third.Refresh))
	assert.Equal(t, 400, status, "the family has ended")
	assert.False(t, w.good(third.Access))

	late := w.signedIn(c)
	_, status = w.token(refreshing(c, late.Refresh))
	require.Equal(t, 200, status)
	w.later(31 * time.Second)
	_, status = w.token(refreshing(c, late.Refresh))
	assert.Equal(t, 400, status, "after the moment of grace")
}

func TestRefreshAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	c := w.public()
	first := w.signedIn(c)
	w.later(time.Hour + 10*time.Minute)
	var mu sync.Mutex
	successors := map[string]int{}
	var all sync.WaitGroup
	for range 32 {
		all.Go(func() {
			got, status := w.token(refreshing(c, first.Refresh))
			mu.Lock()
			defer mu.Unlock()
			successors[fmt.Sprint(status, got.Refresh)]++
		})
	}
	all.Wait()
	assert.Len(t, successors, 1, successors)
}

func TestRevoke(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	c := w.public()
	other := w.public()
	revoke := func(c registered, token string) int {
		return w.browser().
			post(w.origin+"/revoke", url.Values{"client_id": {c.ID}, "token": {token}, "token_type_hint": {"nonsense"}}).
			status
	}
	got := w.signedIn(c)
	assert.Equal(t, 200, revoke(other, got.Refresh))
	assert.Equal(t, 200, revoke(other, got.Access))
	assert.True(t, w.good(got.Access))
	assert.Equal(t, 200, revoke(c, "junk"))
	assert.Equal(t, 200, revoke(c, got.Refresh))
	assert.False(t, w.good(got.Access))
	got = w.signedIn(c)
	assert.Equal(t, 200, revoke(c, got.Access))
	assert.False(t, w.good(got.Access))
}

func TestEntraEndsTheSignIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	c := w.public()
	got := w.signedIn(c)
	caller, err := w.broker.Verify(t.Context(), got.Access)
	require.NoError(t, err)
	w.entraAnswers(400, `{"error":"invalid_grant","error_description":"AADSTS50173: x","error_codes":[50173]}`)
	_, err = w.broker.UpstreamToken(t.Context(), caller.GrantID)
	require.NoError(t, err, "Entra is not asked while its token is good")
	w.later(90 * time.Minute)
	_, err = w.broker.UpstreamToken(t.Context(), caller.GrantID)
	assert.ErrorIs(t, err, broker.ErrGrantOver)
	refused, status := w.token(refreshing(c, got.Refresh))
	assert.Equal(t, 400, status)
	assert.Equal(t, "invalid_grant", refused.Error)
	assert.False(t, w.good(got.Access))
}

func TestEntraIsAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	c := w.public()
	got := w.signedIn(c)
	w.entraAnswers(503, `{}`)
	status := 200
	for minute := 0; status == 200; minute++ {
		require.Less(t, minute, 120, "a sign-in that nobody vouches for any more")
		w.later(time.Minute)
		var next tokens
		if next, status = w.token(refreshing(c, got.Refresh)); status == 200 {
			got = next
		} else {
			require.Greater(t, minute, 50, "what Entra's token has left is used")
		}
	}
	assert.Equal(t, 503, status)
	w.later(time.Minute + time.Second) // the leeway of the verifier
	assert.False(t, w.good(got.Access), "no token of ours outlives Entra's")
	w.answer.Store(nil)
	_, status = w.token(refreshing(c, got.Refresh))
	assert.Equal(t, 200, status, "and nothing is lost")
}
