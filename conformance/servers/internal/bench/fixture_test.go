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

func TestAFixtureIsAServerOfItsOwn(t *testing.T) {
	t.Parallel()
	refusing := start(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) })
	serving := start(t, says(http.StatusOK, "application/json", `{"result":{}}`))
	closed := false
	refusing.Fixture = func(context.Context) (*bench.Fixture, error) {
		return &bench.Fixture{Target: serving, Close: func() { closed = true }}, nil
	}
	current := bench.Check{
		Rule: check.Rule{
			Level: check.Must,
		},
		Needs: []bench.Need{bench.OwnServer},
		Run: func(ctx context.Context, p *bench.Probe) error {
			fixture, on, err := p.Fixture(ctx)
			require.NoError(t, err)
			defer fixture.Close()
			here, err := p.Send(ctx, bench.Request{})
			require.NoError(t, err)
			assert.Equal(t, http.StatusUnauthorized, here.Status)
			for _, probe := range []*bench.Probe{on, on.Clone()} {
				there, err := probe.Send(ctx, bench.Request{})
				require.NoError(t, err)
				assert.True(t, there.Succeeded())
				assert.Equal(t, p.Revision, probe.Revision)
			}
			return nil
		},
	}
	assert.Equal(t, check.Pass, bench.Run(t.Context(), current, refusing)[0].Verdict)
	assert.True(t, closed)
}

func TestAFixtureThatDoesNotStartIsNoVerdict(t *testing.T) {
	t.Parallel()
	target := start(t, says(http.StatusOK, "application/json", `{"result":{}}`))
	target.Fixture = func(context.Context) (*bench.Fixture, error) { return nil, errors.New("no port") }
	current := bench.Check{
		Rule: check.Rule{
			Level: check.Must,
		},
		Needs: []bench.Need{bench.OwnServer},
		Run: func(ctx context.Context, p *bench.Probe) error {
			_, _, err := p.Fixture(ctx)
			return err
		},
	}
	result := bench.Run(t.Context(), current, target)[0]
	assert.Equal(t, check.Error, result.Verdict)
	assert.ErrorContains(t, result.Err, "no port")
}
