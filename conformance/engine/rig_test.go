package engine_test

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/engine"
)

func TestARigIsAServerOfItsOwn(t *testing.T) {
	t.Parallel()
	refusing := start(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) })
	serving := start(t, says(http.StatusOK, "application/json", `{"result":{}}`))
	closed := false
	refusing.Rig = func(context.Context) (*engine.Rig, error) {
		return &engine.Rig{Target: serving, Close: func() { closed = true }}, nil
	}
	check := engine.Check{Level: engine.Must, NeedsRig: true, Run: func(ctx context.Context, p *engine.Probe) error {
		rig, on, err := p.Rig(ctx)
		require.NoError(t, err)
		defer rig.Close()
		here, err := p.Send(ctx, engine.Request{})
		require.NoError(t, err)
		assert.Equal(t, http.StatusUnauthorized, here.Status)
		for _, probe := range []*engine.Probe{on, on.Clone()} {
			there, err := probe.Send(ctx, engine.Request{})
			require.NoError(t, err)
			assert.True(t, there.Succeeded())
			assert.Equal(t, p.Revision, probe.Revision)
		}
		return nil
	}}
	assert.Equal(t, engine.Pass, engine.Run(t.Context(), check, refusing)[0].Verdict)
	assert.True(t, closed)
}

func TestARigThatDoesNotStartIsNoVerdict(t *testing.T) {
	t.Parallel()
	target := start(t, says(http.StatusOK, "application/json", `{"result":{}}`))
	target.Rig = func(context.Context) (*engine.Rig, error) { return nil, errors.New("no port") }
	check := engine.Check{Level: engine.Must, NeedsRig: true, Run: func(ctx context.Context, p *engine.Probe) error {
		_, _, err := p.Rig(ctx)
		return err
	}}
	result := engine.Run(t.Context(), check, target)[0]
	assert.Equal(t, engine.Error, result.Verdict)
	assert.ErrorContains(t, result.Err, "no port")
}
