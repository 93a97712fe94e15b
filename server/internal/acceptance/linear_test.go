package acceptance_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"
)

// TestLinear lets several programs redeem one code, refresh, and revoke at two replicas at once.
// The answers must be possible for requests one after another.
func TestLinear(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, kind storeKind) {
		w := newWorld(t, options{store: kind.open(t), replicas: replicas})
		program := w.register(0, metadata())
		b := w.browser()
		for range full(3, 500) {
			code := b.codeFor(program.ClientID, loopback, "user.read", 1)
			family := &family{w: w, clientID: program.ClientID, code: code, began: time.Now()}
			family.run()
			checked, found := porcupine.CheckOperationsVerbose(familyModel, family.history, time.Minute)
			if checked == porcupine.Illegal {
				t.Log(found.PartialLinearizationsOperations())
			}
			require.Equal(t, porcupine.Ok, checked)
		}
	})
}

const (
	familyCallers = 6
	familyCalls   = 6 // of each caller
)

// A family is a code and the refresh tokens that come of it.
type family struct {
	w        *world
	clientID string
	code     string
	began    time.Time

	mu      sync.Mutex
	tokens  []string // the refresh tokens that the callers know, the newest last
	history []porcupine.Operation
}

// A familyCall is a request.
type familyCall struct {
	method string // redeem, refresh or revoke
	token  string
}

// A familyResult is the answer to a request.
type familyResult struct {
	ok    bool
	token string // the new refresh token
}

// run redeems the code, and then lets all callers work.
func (f *family) run() {
	f.do(0, familyCall{method: "redeem"})
	var all sync.WaitGroup
	for caller := range familyCallers {
		all.Go(func() {
			for range familyCalls {
				f.do(caller, f.draw())
			}
		})
	}
	all.Wait()
}

// draw chooses a request. Most of them leave the family alive.
func (f *family) draw() familyCall {
	f.mu.Lock()
	defer f.mu.Unlock()
	newest := f.tokens[len(f.tokens)-1]
	switch n := rand.N(40); {
	case n == 0:
		return familyCall{method: "redeem"}
	case n == 1:
		return familyCall{method: "revoke", token: newest}
	case n == 2:
		return familyCall{method: "refresh", token: f.tokens[rand.N(len(f.tokens))]}
	case n < 10:
		return familyCall{method: "refresh", token: f.tokens[max(0, len(f.tokens)-2)]}
	}
	return familyCall{method: "refresh", token: newest}
}

// do sends a request, and records it.
func (f *family) do(caller int, made familyCall) {
	replica := caller % replicas
	operation := porcupine.Operation{ClientId: caller, Input: made, Call: int64(time.Since(f.began))}
	got := f.send(replica, made)
	operation.Return = int64(time.Since(f.began))
	operation.Output = got
	f.mu.Lock()
	defer f.mu.Unlock()
	f.history = append(f.history, operation)
	if got.token != "" {
		f.tokens = append(f.tokens, got.token)
	}
}

func (f *family) send(replica int, made familyCall) familyResult {
	switch made.method {
	case "redeem":
		got := f.w.token(replica, redemption(f.clientID, loopback, f.code))
		return familyResult{got.status == http.StatusOK, got.Refresh}
	case "refresh":
		got := f.w.token(replica, refreshing(f.clientID, made.token))
		return familyResult{got.status == http.StatusOK, got.Refresh}
	}
	form := url.Values{"client_id": {f.clientID}, "token": {made.token}}
	return familyResult{ok: f.w.post(replica, "/revoke", form).status == http.StatusOK}
}

// A familyState is what the model of a family knows. The clock is stopped, so a refresh token that
// was just replaced gets its successor again.
type familyState struct {
	redeemed bool
	ended    bool
	current  string
	previous string
}

var familyModel = porcupine.Model{
	Init: func() any { return familyState{} },
	Step: func(state, input, output any) (bool, any) {
		return state.(familyState).step(input.(familyCall), output.(familyResult))
	},
	DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v: %+v", input, output) },
}

// step reports whether a request can have this answer in this state, and returns the next state.
func (s familyState) step(made familyCall, got familyResult) (bool, familyState) {
	switch {
	case made.method == "revoke":
		s.ended = true
		return got.ok, s
	case made.method == "redeem" && !s.redeemed:
		s.redeemed = true
		s.current = got.token
		return got.ok, s
	case made.method == "redeem":
		s.ended = true
		return !got.ok, s
	case s.ended:
		return !got.ok, s
	case made.token == s.current:
		s.previous = s.current
		s.current = got.token
		return got.ok && got.token != s.previous, s
	case made.token == s.previous:
		return got.ok && got.token == s.current, s
	}
	s.ended = true
	return !got.ok, s
}
