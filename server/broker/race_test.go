package broker_test

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
)

// twice does one thing two times at once.
func twice(act func() (tokens, int)) (got [2]tokens, status [2]int) {
	var both sync.WaitGroup
	for i := range got {
		both.Go(func() { got[i], status[i] = act() })
	}
	both.Wait()
	return got, status
}

func TestCodeRaceEndsGrant(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	p := newPairing(e)
	c := e.public()
	code := e.code(c, e.browser()).Get("code")
	p.arm("code", 1)
	got, status := twice(func() (tokens, int) { return e.token(redemption(c, code)) })
	assert.ElementsMatch(t, []int{200, 400}, status[:])
	// One of the two was not the client, and the broker cannot tell which.
	for _, answer := range got {
		assert.False(t, answer.Access != "" && e.good(answer.Access), "the grant of a code that two redeemed")
	}
}

func TestRefreshRaceGetsOneSuccessor(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	p := newPairing(e)
	c := e.public()
	first := e.signedIn(c)
	p.arm("grant", 1) // both change the grant that they read
	got, status := twice(func() (tokens, int) { return e.token(refreshing(c, first.Refresh)) })
	assert.Equal(t, [2]int{200, 200}, status)
	assert.Equal(t, got[0].Refresh, got[1].Refresh)
	assert.NotEqual(t, first.Refresh, got[0].Refresh)
	assert.True(t, e.good(got[0].Access))
}
