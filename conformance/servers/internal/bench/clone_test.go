package bench_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/bench"
)

// TestReportsMaskCredentials has a server repeat the token to a probe that did not send it.
func TestReportsMaskCredentials(t *testing.T) {
	t.Parallel()
	type pair struct{ sender, reporter *bench.Probe }
	for _, test := range []struct {
		name  string
		probe func(context.Context, *bench.Probe) pair
	}{
		{"the probe itself", func(_ context.Context, p *bench.Probe) pair { return pair{p, p} }},
		{"a clone reports", func(_ context.Context, p *bench.Probe) pair { return pair{p, p.Clone()} }},
		{"a clone sends", func(_ context.Context, p *bench.Probe) pair { return pair{p.Clone(), p} }},
		{"two clones", func(_ context.Context, p *bench.Probe) pair { return pair{p.Clone(), p.Clone().Clone()} }},
		{"a probe of another revision", func(_ context.Context, p *bench.Probe) pair {
			return pair{p, p.WithRevision(check.R20260728)}
		}},
		{"a probe with its own connections", func(_ context.Context, p *bench.Probe) pair {
			other, _ := p.WithOwnConnections()
			return pair{p, other}
		}},
		{"a fixture", func(ctx context.Context, p *bench.Probe) pair {
			_, on, _ := p.Fixture(ctx)
			return pair{on, p}
		}},
		{"a trial's clone", func(ctx context.Context, p *bench.Probe) pair {
			trial, _ := p.Trial(ctx)
			return pair{p, trial.Clone()}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			target := start(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("X-Echo", r.Header.Get("Authorization"))
				serveGood(w, r)
			})
			target.Fixture = func(context.Context) (*bench.Fixture, error) {
				return &bench.Fixture{Target: target, Close: func() {}}, nil
			}
			current := must(func(ctx context.Context, p *bench.Probe) error {
				probes := test.probe(ctx, p)
				token, err := probes.sender.Token(ctx, bench.Good)
				require.NoError(t, err)
				_, err = probes.sender.Send(ctx, bench.Request{Header: bench.Bearer(token)})
				require.NoError(t, err)
				longer := token + "-and-more"
				_, err = probes.sender.Send(ctx, bench.Request{Header: bench.Bearer(longer)})
				require.NoError(t, err)
				return probes.reporter.Mismatch("nothing", "the server said "+token+" and "+longer)
			})
			result := bench.RunAt(t.Context(), current, target, check.R20251125)
			require.Equal(t, check.Fail, result.Verdict, "%v", result.Err)
			var mismatch *check.Mismatch
			require.ErrorAs(t, result.Err, &mismatch)
			assert.NotContains(t, mismatch.Got+mismatch.Exchange, "secret-token")
			assert.NotContains(t, mismatch.Got, "-and-more")
		})
	}
}

// TestExchangeMasksEncodedCredentials sends a token in base64, in headers of any name.
func TestExchangeMasksEncodedCredentials(t *testing.T) {
	t.Parallel()
	target := start(t, serveGood)
	const padded = "dXNlcjpzZWNyZXQtdG9rZW4tZ29vZA==" // user:secret-token-good
	current := must(func(ctx context.Context, p *bench.Probe) error {
		_, err := p.Token(ctx, bench.Good)
		require.NoError(t, err)
		header := http.Header{"X-Api-Key": {padded}, "X-Other": {"Basic " + padded[:31]}}
		_, err = p.Send(ctx, bench.Request{Header: header})
		require.NoError(t, err)
		return p.Mismatch("nothing", padded)
	})
	result := bench.RunAt(t.Context(), current, target, check.R20251125)
	var mismatch *check.Mismatch
	require.ErrorAs(t, result.Err, &mismatch)
	assert.Contains(t, mismatch.Exchange, "X-Api-Key")
	assert.NotContains(t, mismatch.Got+mismatch.Exchange, "dXNlcjpz")
}

// TestExchangeMasksLaterCredentials has a server repeat a token before the check asks for it.
func TestExchangeMasksLaterCredentials(t *testing.T) {
	t.Parallel()
	target := start(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Guess", "secret-token-good")
	})
	current := must(func(ctx context.Context, p *bench.Probe) error {
		_, err := p.Send(ctx, bench.Request{})
		require.NoError(t, err)
		_, err = p.Token(ctx, bench.Good)
		require.NoError(t, err)
		return p.Mismatch("nothing", "a guess")
	})
	result := bench.RunAt(t.Context(), current, target, check.R20251125)
	var mismatch *check.Mismatch
	require.ErrorAs(t, result.Err, &mismatch)
	assert.Contains(t, mismatch.Exchange, "X-Guess")
	assert.NotContains(t, mismatch.Exchange, "secret-token")
}

func TestClonesShareMessageIDs(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	seen := map[string]int{}
	capable := 0
	target := start(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var message struct {
			ID     json.RawMessage
			Params struct {
				Meta map[string]json.RawMessage `json:"_meta"`
			}
		}
		_ = json.Unmarshal(body, &message)
		mu.Lock()
		defer mu.Unlock()
		seen[string(message.ID)]++
		if string(message.Params.Meta["io.modelcontextprotocol/clientCapabilities"]) == `{"elicitation":{}}` {
			capable++
		}
	})
	current := must(func(ctx context.Context, p *bench.Probe) error {
		p.Capabilities = map[string]any{"elicitation": map[string]any{}}
		for _, probe := range []*bench.Probe{p, p.Clone(), p.Clone().Clone()} {
			_, err := probe.Send(ctx, probe.Message("tools/list", nil))
			require.NoError(t, err)
		}
		return nil
	})
	result := bench.RunAt(t.Context(), current, target, check.R20260728)
	require.Equal(t, check.Pass, result.Verdict, "%v", result.Err)
	assert.Len(t, seen, 3, "%v", seen)
	assert.Equal(t, 3, capable)
}
