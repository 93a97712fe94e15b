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

func TestRefreshRotates(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	c := e.public()
	other := e.public()
	first := e.signedIn(c)
	_, status := e.token(refreshing(other, first.Refresh))
	assert.Equal(t, 400, status)
	second, status := e.token(refreshing(c, first.Refresh))
	require.Equal(t, 200, status)
	assert.NotEqual(t, first.Refresh, second.Refresh)
	repeated, status := e.token(refreshing(c, first.Refresh))
	require.Equal(t, 200, status)
	assert.Equal(t, second.Refresh, repeated.Refresh)
	third, status := e.token(refreshing(c, second.Refresh))
	require.Equal(t, 200, status)
	parts := strings.Split(first.Refresh, ".")
	parts[1] = base64.RawURLEncoding.EncodeToString(make([]byte, 36))
	e.token(refreshing(c, strings.Join(parts, ".")))
	assert.True(t, e.good(third.Access), "a forged token ends nothing")
	e.token(refreshing(other, first.Refresh))
	assert.True(t, e.good(third.Access), "another client ends nothing")
	_, status = e.token(refreshing(c, first.Refresh))
	assert.Equal(t, 400, status)
	_, status = e.token(refreshing(c, third.Refresh))
	assert.Equal(t, 400, status, "the family has ended")
	assert.False(t, e.good(third.Access))

	late := e.signedIn(c)
	_, status = e.token(refreshing(c, late.Refresh))
	require.Equal(t, 200, status)
	e.later(31 * time.Second)
	_, status = e.token(refreshing(c, late.Refresh))
	assert.Equal(t, 400, status, "after repeatLifetime")
}

func TestRefreshesAtOnceGetOneSuccessor(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	c := e.public()
	first := e.signedIn(c)
	e.later(time.Hour + 10*time.Minute)
	var mu sync.Mutex
	successors := map[string]int{}
	var all sync.WaitGroup
	for range 32 {
		all.Go(func() {
			got, status := e.token(refreshing(c, first.Refresh))
			mu.Lock()
			defer mu.Unlock()
			successors[fmt.Sprint(status, got.Refresh)]++
		})
	}
	all.Wait()
	assert.Len(t, successors, 1, successors)
}

func TestRevokeEndsGrant(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	c := e.public()
	other := e.public()
	revoke := func(c registered, token string) int {
		form := url.Values{"client_id": {c.ID}, "token": {token}, "token_type_hint": {"nonsense"}}
		return e.browser().post(e.origin+"/revoke", form).status
	}
	got := e.signedIn(c)
	assert.Equal(t, 200, revoke(other, got.Refresh))
	assert.Equal(t, 200, revoke(other, got.Access))
	assert.True(t, e.good(got.Access))
	assert.Equal(t, 200, revoke(c, "junk"))
	assert.Equal(t, 200, revoke(c, got.Refresh))
	assert.False(t, e.good(got.Access))
	got = e.signedIn(c)
	assert.Equal(t, 200, revoke(c, got.Access))
	assert.False(t, e.good(got.Access))
}

func TestEntraEndsSignIn(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	c := e.public()
	got := e.signedIn(c)
	caller, err := e.broker.Verify(t.Context(), got.Access)
	require.NoError(t, err)
	e.entraAnswers(400, `{"error":"invalid_grant","error_description":"AADSTS50173: x","error_codes":[50173]}`)
	_, err = e.broker.UpstreamToken(t.Context(), caller.GrantID)
	require.NoError(t, err, "Entra is not asked while its token is valid")
	e.later(90 * time.Minute)
	_, err = e.broker.UpstreamToken(t.Context(), caller.GrantID)
	assert.ErrorIs(t, err, broker.ErrGrantOver)
	refused, status := e.token(refreshing(c, got.Refresh))
	assert.Equal(t, 400, status)
	assert.Equal(t, "invalid_grant", refused.Error)
	assert.False(t, e.good(got.Access))
}

func TestUnreachableEntraCostsNothing(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	c := e.public()
	got := e.signedIn(c)
	e.entraAnswers(503, `{}`)
	status := 200
	for minute := 0; status == 200; minute++ {
		require.Less(t, minute, 120, "a sign-in that Entra has not confirmed for two hours")
		e.later(time.Minute)
		var next tokens
		next, status = e.token(refreshing(c, got.Refresh))
		if status == 200 {
			got = next
		} else {
			require.Greater(t, minute, 50, "Entra's token is used until it expires")
		}
	}
	assert.Equal(t, 503, status)
	e.later(time.Minute + time.Second) // the leeway of the verifier
	assert.False(t, e.good(got.Access), "our tokens do not outlive Entra's")
	e.answer.Store(nil)
	_, status = e.token(refreshing(c, got.Refresh))
	assert.Equal(t, 200, status, "the grant is not lost")
}
