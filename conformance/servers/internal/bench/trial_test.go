package bench_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/bench"
)

// counter is a tool that counts its runs, and a handler that runs it for whoever has the good
// token, or as a test says.
type counter struct {
	mu   sync.Mutex
	runs map[string]int
}

func (c *counter) ran(marker string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.runs[marker]
}

func (c *counter) run(r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var message struct {
		Params struct {
			Name      string
			Arguments struct{ Marker string }
		}
	}
	if json.Unmarshal(body, &message) == nil && message.Params.Name == "count" {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.runs[message.Params.Arguments.Marker]++
	}
}

func TestATrialJudgesByTheEffect(t *testing.T) {
	t.Parallel()
	refuse := func(status int) func(*counter, http.ResponseWriter, *http.Request) {
		return func(_ *counter, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
	}
	for name, test := range map[string]struct {
		toStrangers func(*counter, http.ResponseWriter, *http.Request)
		want        check.Verdict
		insecure    bool
		err         string
	}{
		"refused": {refuse(http.StatusUnauthorized), check.Pass, false, ""},
		"refused with another status": {
			refuse(http.StatusForbidden),
			check.Fail,
			false,
			"want status 401: no token, got status 403",
		},
		"broken": {refuse(http.StatusInternalServerError), check.Fail, false, "got status 500"},
		"served": {refuse(http.StatusAccepted), check.Fail, true, "got status 202"},
		"refused after the tool ran": {func(c *counter, w http.ResponseWriter, r *http.Request) {
			c.run(r)
			w.WriteHeader(http.StatusUnauthorized)
		}, check.Fail, true, "want the tool not to run: no token, got status 401, and the tool ran"},
	} {
		for _, revision := range check.Revisions() {
			t.Run(name+"@"+string(revision), func(t *testing.T) {
				t.Parallel()
				tool := &counter{runs: map[string]int{}}
				target := start(t, func(w http.ResponseWriter, r *http.Request) {
					if r.Header.Get("Authorization") != "Bearer secret-token-good" {
						test.toStrangers(tool, w, r)
						return
					}
					tool.run(r)
					says(http.StatusOK, "application/json", `{"result":{}}`)(w, r)
				})
				target.Tokens = tokens(bench.Good)
				target.Canary = &bench.Canary{Tool: "count", Ran: tool.ran}
				for _, raw := range []bool{false, true} {
					current := bench.Check{
						Rule: check.Rule{
							Level: check.Must,
						},
						Run: func(ctx context.Context, p *bench.Probe) error {
							trial, err := p.Trial(ctx)
							if err != nil {
								return err
							}
							request := trial.Request()
							if raw {
								_, err = trial.WantRefusedRaw(
									ctx,
									"no token",
									request,
									p.Wire(request),
									http.StatusUnauthorized,
								)
							} else {
								_, err = trial.WantRefused(ctx, "no token", request, http.StatusUnauthorized)
							}
							return err
						},
					}
					result := bench.RunAt(t.Context(), current, target, revision)
					assert.Equal(t, test.want, result.Verdict, "%v", result.Err)
					assert.Equal(t, test.insecure, result.Insecure())
					if test.err != "" {
						assert.ErrorContains(t, result.Err, test.err)
					}
				}
			})
		}
	}
}

func TestATrialNeedsACanaryThatSings(t *testing.T) {
	t.Parallel()
	for name, ran := range map[string]int{"mute": 0, "doubled": 2} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			target := start(t, serving)
			target.Tokens = tokens(bench.Good)
			target.Canary = &bench.Canary{Tool: "count", Ran: func(string) int { return ran }}
			result := bench.RunAt(t.Context(), bench.Check{
				Rule: check.Rule{
					Level: check.Must,
				},
				Run: func(ctx context.Context, p *bench.Probe) error {
					_, err := p.Trial(ctx)
					return err
				},
			}, target, check.R20251125)
			assert.Equal(t, check.Error, result.Verdict)
			assert.ErrorContains(t, result.Err, "according to the canary")
		})
	}
}

func TestASessionIsKept(t *testing.T) {
	t.Parallel()
	var seen []string
	target := start(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		seen = append(seen, r.Header.Get("Mcp-Session-Id")+strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
		if strings.Contains(string(body), `"initialize"`) {
			w.Header().Set("Mcp-Session-Id", "s-")
		}
		says(http.StatusOK, "application/json", `{"result":{}}`)(w, r)
	})
	target.Tokens = tokens(bench.Good)
	result := bench.RunAt(t.Context(), bench.Check{
		Rule: check.Rule{
			Level: check.Must,
		},
		Run: func(ctx context.Context, p *bench.Probe) error {
			session, err := p.Open(ctx, "t")
			require.NoError(t, err)
			_, err = p.Send(ctx, session.Message("tools/list", nil))
			return err
		},
	}, target, check.R20251125)
	assert.Equal(t, check.Pass, result.Verdict, "%v", result.Err)
	assert.Equal(t, []string{"t", "s-t", "s-"}, seen)
}
