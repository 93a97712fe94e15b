package redis

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

// waits opens a store on a server that loads for a time, and returns how long that took.
func waits(t *testing.T, takes time.Duration, then error) (took time.Duration, log string, err error) {
	t.Helper()
	var text bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		open := func(context.Context) error {
			if time.Since(began) < takes {
				return fmt.Errorf("store: redis: %w", &unsentError{&loadingError{percent: "37.2"}})
			}
			return then
		}
		err = afterLoading(t.Context(), slog.New(slog.NewTextHandler(&text, nil)), open)
		took = time.Since(began)
	})
	return took, text.String(), err
}

func TestOpenWaitsForLoadingServer(t *testing.T) {
	t.Parallel()
	took, log, err := waits(t, 25*time.Second, nil)
	assert.NoError(t, err)
	assert.Equal(t, 25*time.Second, took)
	assert.Equal(t, 3, strings.Count(log, "loaded_percent=37.2"), log)

	took, _, err = waits(t, time.Hour, nil)
	assert.ErrorContains(t, err, "the server is loading its records")
	assert.Equal(t, loadTime, took)

	refused := errors.New("refused")
	took, log, err = waits(t, 0, refused)
	assert.ErrorIs(t, err, refused)
	assert.Zero(t, took)
	assert.Empty(t, log)
}
