package exchange_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"mcpentra/conformance/internal/exchange"
)

func TestWithinEndsAtItsLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		ctx, cancel := exchange.Within(t.Context(), time.Minute)
		defer cancel()
		child, cancelChild := context.WithCancel(ctx)
		defer cancelChild()
		assert.NoError(t, ctx.Err())
		<-child.Done()
		assert.Equal(t, time.Minute, time.Since(begun))
		assert.ErrorIs(t, ctx.Err(), context.DeadlineExceeded)
		assert.ErrorIs(t, context.Cause(child), context.DeadlineExceeded)
	})
}

func TestWithinEndsBeforeItsLimit(t *testing.T) {
	t.Parallel()
	leaving := errors.New("the caller left")
	for name, test := range map[string]struct {
		cancels func(parent context.CancelCauseFunc, own context.CancelFunc)
		want    error // the cause
	}{
		"by its parent":   {func(parent context.CancelCauseFunc, _ context.CancelFunc) { parent(leaving) }, leaving},
		"by its caller":   {func(_ context.CancelCauseFunc, own context.CancelFunc) { own() }, context.Canceled},
		"twice by caller": {func(_ context.CancelCauseFunc, own context.CancelFunc) { own(); own() }, context.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				begun := time.Now()
				parent, cancelParent := context.WithCancelCause(t.Context())
				defer cancelParent(nil)
				ctx, cancel := exchange.Within(parent, time.Minute)
				test.cancels(cancelParent, cancel)
				<-ctx.Done()
				assert.Zero(t, time.Since(begun))
				assert.ErrorIs(t, ctx.Err(), context.Canceled)
				assert.ErrorIs(t, context.Cause(ctx), test.want)
				synctest.Wait()
				late, cancelLate := exchange.Within(parent, time.Minute)
				defer cancelLate()
				assert.Equal(t, parent.Err(), late.Err())
			})
		})
	}
}

func TestClockStopsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		clock := exchange.StartClock(ctx)
		time.Sleep(time.Minute)
		synctest.Wait()
		assert.Equal(t, time.Minute, clock.Elapsed())
		cancel()
		time.Sleep(time.Minute)
		assert.Equal(t, time.Minute, clock.Elapsed())
	})
}
