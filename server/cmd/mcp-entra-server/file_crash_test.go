package main_test

import (
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	running "mcpentra/server/internal/programs"
)

// A promise is what the server has answered to one person.
type promise struct {
	*person
	code     string
	redeemed bool     // the answer came
	tokens   []string // refresh tokens, the newest last
}

// TestFileCrashes ends the server at random points under load, as kill -9 does, and starts it
// again. Then no used code and no replaced token counts, and no grant is lost whose tokens a client
// got.
func TestFileCrashes(t *testing.T) {
	t.Parallel()
	pair := running.New(t, programs, t.TempDir())
	pair.Start()
	rounds := crashes(2, 50)
	redeemed := 0
	refreshed := 0
	for range rounds {
		promises := killUnderLoad(t, pair)
		pair.Start()
		for _, p := range promises {
			p.check(t)
			if p.redeemed {
				redeemed++
			}
			refreshed += max(0, len(p.tokens)-1)
		}
	}
	t.Logf("%d rounds, %d redeemed codes, %d refreshes", rounds, redeemed, refreshed)
	assert.NotZero(t, redeemed)
	assert.NotZero(t, refreshed)
}

// killUnderLoad lets people sign in and refresh until the server ends.
func killUnderLoad(t *testing.T, pair *running.Pair) []*promise {
	const people = 6
	var mu sync.Mutex
	var promises []*promise
	var first, all sync.WaitGroup
	first.Add(people)
	for range people {
		all.Go(func() {
			begun := sync.OnceFunc(first.Done)
			defer begun()
			for {
				p := &promise{person: newPerson(t, pair)}
				if status, err := p.register(); err != nil || status != http.StatusCreated {
					return
				}
				p.code = p.signIn(t.Context())
				mu.Lock()
				promises = append(promises, p)
				mu.Unlock()
				if !p.use(begun) {
					return
				}
			}
		})
	}
	first.Wait() // each has a grant
	time.Sleep(time.Duration(rand.IntN(300)) * time.Millisecond)
	pair.Kill()
	all.Wait()
	return promises
}

// use redeems the code and refreshes a few times. It returns false if there is no answer.
func (p *promise) use(begun func()) bool {
	if p.code == "" {
		return false
	}
	got, status, err := p.redeem(p.code)
	if err != nil || status != http.StatusOK {
		return false
	}
	p.redeemed = true
	p.tokens = append(p.tokens, got.Refresh)
	for range 5 {
		got, status, err = p.refresh(got.Refresh)
		if err != nil || status != http.StatusOK {
			return false
		}
		p.tokens = append(p.tokens, got.Refresh)
		begun()
	}
	return true
}

// check holds the server to a promise after its restart.
func (p *promise) check(t *testing.T) {
	if p.code == "" {
		return
	}
	if !p.redeemed {
		// The server may have died before or after it used the code.
		_, first, err := p.redeem(p.code)
		require.NoError(t, err)
		_, second, err := p.redeem(p.code)
		require.NoError(t, err)
		assert.Contains(t, []int{http.StatusOK, http.StatusBadRequest}, first)
		assert.Equal(t, http.StatusBadRequest, second, "a code twice")
		return
	}
	newest := p.tokens[len(p.tokens)-1]
	got, status, err := p.refresh(newest)
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, status, "a grant is lost: after %d refreshes", len(p.tokens)-1)
	_, status, err = p.refresh(got.Refresh)
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, status, "the successor")
	if len(p.tokens)%2 == 0 {
		_, status, err = p.refresh(p.tokens[0])
		require.NoError(t, err)
		assert.Equal(t, http.StatusBadRequest, status, "a replaced token")
		return
	}
	_, status, err = p.redeem(p.code)
	require.NoError(t, err)
	assert.Equal(t, http.StatusBadRequest, status, "a used code")
}
