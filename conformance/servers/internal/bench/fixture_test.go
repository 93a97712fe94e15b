package bench_test

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/bench"
)

func TestFixtureIsAnotherServer(t *testing.T) {
	t.Parallel()
	refusing := start(t, serve(http.StatusUnauthorized, "text/plain", ""))
	serving := start(t, serveResult)
	closed := false
	refusing.Fixture = func(context.Context) (*bench.Fixture, error) {
		return &bench.Fixture{Target: serving, Close: func() { closed = true }}, nil
	}
	current := must(func(ctx context.Context, p *bench.Probe) error {
		fixture, on, err := p.Fixture(ctx)
		require.NoError(t, err)
		defer fixture.Close()
		answer, err := p.Send(ctx, bench.Request{})
		require.NoError(t, err)
		assert.Equal(t, http.StatusUnauthorized, answer.Status)
		for _, probe := range []*bench.Probe{on, on.Clone()} {
			answer, err := probe.Send(ctx, bench.Request{})
			require.NoError(t, err)
			assert.True(t, answer.Succeeded())
			assert.Equal(t, p.Revision, probe.Revision)
		}
		return nil
	})
	current.Needs = []bench.Need{bench.OwnServer}
	assert.Equal(t, check.Pass, bench.Run(t.Context(), current, refusing)[0].Verdict)
	assert.True(t, closed)
}

func TestFailingFixtureIsError(t *testing.T) {
	t.Parallel()
	target := start(t, serveResult)
	target.Fixture = func(context.Context) (*bench.Fixture, error) { return nil, errors.New("no port") }
	current := must(func(ctx context.Context, p *bench.Probe) error {
		_, _, err := p.Fixture(ctx)
		return err
	})
	current.Needs = []bench.Need{bench.OwnServer}
	result := bench.Run(t.Context(), current, target)[0]
	assert.Equal(t, check.Error, result.Verdict)
	assert.ErrorContains(t, result.Err, "no port")
}
