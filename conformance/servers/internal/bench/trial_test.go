package bench_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/bench"
)

// A counter counts the runs of a tool by marker.
type counter struct {
	mu   sync.Mutex
	runs map[string]int
}

func (c *counter) ran(marker string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.runs[marker]
}

// run runs the tool if the request calls it.
func (c *counter) run(r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var message struct {
		Params struct {
			Name      string
			Arguments struct{ Marker string }
		}
	}
	if err := json.Unmarshal(body, &message); err == nil && message.Params.Name == "count" {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.runs[message.Params.Arguments.Marker]++
	}
}

func TestTrialJudgesEffects(t *testing.T) {
	t.Parallel()
	type answer func(*counter, http.ResponseWriter, *http.Request)
	status := func(status int) answer {
		return func(_ *counter, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
	}
	for _, test := range []struct {
		name     string
		answer   answer // to a request without a good token
		want     check.Verdict
		insecure bool
		err      string
	}{
		{"refused", status(http.StatusUnauthorized), check.Pass, false, ""},
		{
			"refused with another status",
			status(http.StatusForbidden),
			check.Fail,
			false,
			"want status 401: no token, got status 403",
		},
		{"broken", status(http.StatusInternalServerError), check.Fail, false, "got status 500"},
		{"served", status(http.StatusAccepted), check.Fail, true, "got status 202"},
		{"refused after the tool ran", func(c *counter, w http.ResponseWriter, r *http.Request) {
			c.run(r)
			w.WriteHeader(http.StatusUnauthorized)
		}, check.Fail, true, "want the tool not to run: no token, got status 401, and the tool ran"},
	} {
		for _, revision := range check.Revisions() {
			t.Run(test.name+"@"+string(revision), func(t *testing.T) {
				t.Parallel()
				tool := &counter{runs: map[string]int{}}
				target := start(t, func(w http.ResponseWriter, r *http.Request) {
					if r.Header.Get("Authorization") != "Bearer secret-token-good" {
						test.answer(tool, w, r)
						return
					}
					tool.run(r)
					serveResult(w, r)
				})
				target.Canary = &bench.Canary{Tool: "count", Ran: tool.ran}
				for _, raw := range []bool{false, true} {
					result := bench.RunAt(t.Context(), must(withoutToken(raw)), target, revision)
					assert.Equal(t, test.want, result.Verdict, "%v", result.Err)
					assert.Equal(t, test.insecure, result.Severity() != "")
					if test.err != "" {
						assert.ErrorContains(t, result.Err, test.err)
					}
				}
			})
		}
	}
}

// withoutToken wants the request of a trial refused without a token.
func withoutToken(raw bool) func(ctx context.Context, p *bench.Probe) error {
	return func(ctx context.Context, p *bench.Probe) error {
		trial, err := p.Trial(ctx)
		if err != nil {
			return err
		}
		request := trial.Request()
		if raw {
			_, err = trial.WantRefusedRaw(ctx, "no token", request, p.Wire(request), http.StatusUnauthorized)
			return err
		}
		_, err = trial.WantRefused(ctx, "no token", request, http.StatusUnauthorized)
		return err
	}
}

func TestTrialNeedsCanaryThatCounts(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		ran  int
	}{
		{"never", 0},
		{"twice", 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			target := start(t, serveGood)
			target.Canary = &bench.Canary{Tool: "count", Ran: func(string) int { return test.ran }}
			result := bench.RunAt(t.Context(), must(func(ctx context.Context, p *bench.Probe) error {
				_, err := p.Trial(ctx)
				return err
			}), target, check.R20251125)
			assert.Equal(t, check.Error, result.Verdict)
			assert.ErrorContains(t, result.Err, "according to the canary")
		})
	}
}

func TestSessionKeepsItsID(t *testing.T) {
	t.Parallel()
	var seen []string
	target := start(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		seen = append(seen, r.Header.Get("Mcp-Session-Id")+strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
		if strings.Contains(string(body), `"initialize"`) {
			w.Header().Set("Mcp-Session-Id", "s-")
		}
		serveResult(w, r)
	})
	result := bench.RunAt(t.Context(), must(func(ctx context.Context, p *bench.Probe) error {
		session, err := p.Open(ctx, "t")
		require.NoError(t, err)
		_, err = p.Send(ctx, session.Message("tools/list", nil))
		return err
	}), target, check.R20251125)
	assert.Equal(t, check.Pass, result.Verdict, "%v", result.Err)
	assert.Equal(t, []string{"t", "s-t", "s-"}, seen)
}

// TestTrialSendsItsControlOnce wants one first message of a trial without a canary. Some servers
// take a second for each.
func TestTrialSendsItsControlOnce(t *testing.T) {
	t.Parallel()
	var firsts atomic.Int32
	target := start(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if strings.Contains(string(body), `"initialize"`) {
			firsts.Add(1)
		}
		serveResult(w, r)
	})
	result := bench.RunAt(t.Context(), bench.Check{
		Rule: check.Rule{ID: "server/test", Level: check.Must},
		Run: func(ctx context.Context, p *bench.Probe) error {
			_, err := p.Trial(ctx)
			return err
		},
	}, target, check.R20251125)
	require.Equal(t, check.Pass, result.Verdict, "%v", result.Err)
	assert.EqualValues(t, 1, firsts.Load())
}
