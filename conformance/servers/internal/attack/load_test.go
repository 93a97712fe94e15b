package attack_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// TestStillServesWithNewToken ends the token of a trial, as if it had expired. A server that serves
// the next token passes, and a server that serves no token fails.
func TestStillServesWithNewToken(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		renews bool // the target supplies another token
		serves bool // the server serves it
		want   check.Verdict
	}{
		"a new token is served":  {true, true, check.Pass},
		"a new token is refused": {true, false, check.Fail},
		"there is no new token":  {false, true, check.Fail},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var good atomic.Value
			good.Store("Bearer token-1")
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Authorization") != good.Load() {
					w.WriteHeader(http.StatusUnauthorized)
					return
				}
				w.Header().Set("Content-Type", "application/json")
				_, _ = w.Write([]byte(`{"jsonrpc":"2.0","id":1,"result":{}}`))
			}))
			t.Cleanup(server.Close)
			supplied := 0
			supply := func(context.Context) (string, error) {
				if supplied == 0 || test.renews {
					supplied++
				}
				return fmt.Sprint("token-", supplied), nil
			}
			target := bench.Target{
				URL:    server.URL,
				Tokens: map[bench.TokenKind]func(context.Context) (string, error){bench.Good: supply},
			}
			attacked := bench.Check{
				Rule: check.Rule{Level: check.Must},
				Run: attack.WithTrial(func(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
					good.Store("none")
					if test.serves {
						good.Store("Bearer token-2")
					}
					return attack.StillServes(ctx, p, trial)
				}),
			}
			result := bench.RunAt(t.Context(), attacked, target, check.R20251125)
			assert.Equal(t, test.want, result.Verdict, "%v", result.Err)
		})
	}
}
