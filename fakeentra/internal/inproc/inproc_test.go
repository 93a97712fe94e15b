package inproc

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// through calls a handler by way of the transport.
func through(t *testing.T, ctx context.Context, body io.Reader, handler http.HandlerFunc) (*http.Response, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://login.microsoftonline.com/x", body)
	require.NoError(t, err)
	return RoundTrip(handler, r)
}

func TestTransportStreamsBothWays(t *testing.T) {
	t.Parallel()
	reader, writer := io.Pipe()
	answer, err := through(t, t.Context(), reader, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusAccepted)
		w.(http.Flusher).Flush()
		_, _ = io.Copy(w, r.Body)
	})
	require.NoError(t, err, "the answer begins before the request has ended")
	defer answer.Body.Close()
	assert.Equal(t, http.StatusAccepted, answer.StatusCode)
	assert.EqualValues(t, -1, answer.ContentLength)
	for _, word := range []string{"one", "two"} {
		_, err := io.WriteString(writer, word)
		require.NoError(t, err)
		back := make([]byte, len(word))
		_, err = io.ReadFull(answer.Body, back)
		require.NoError(t, err)
		assert.Equal(t, word, string(back))
	}
	require.NoError(t, writer.Close())
	rest, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	assert.Empty(t, rest)
}

func TestTransportKnowsTheLengthOfShortAnswers(t *testing.T) {
	t.Parallel()
	answer, err := through(t, t.Context(), nil, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(
			w,
			"short",
		)
	})
	require.NoError(t, err)
	assert.EqualValues(t, 5, answer.ContentLength)
	require.NoError(t, answer.Body.Close())
}

// A reader that does not read holds the handler up after a while, and lets it go by leaving.
func TestTransportHoldsBackAndLetsGo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		written := 0
		ended := make(chan error, 1)
		answer, err := through(t, t.Context(), nil, func(w http.ResponseWriter, r *http.Request) {
			part := bytes.Repeat([]byte("x"), 10_000)
			for {
				n, err := w.Write(part)
				written += n
				if err != nil {
					<-r.Context().Done()
					ended <- err
					return
				}
			}
		})
		require.NoError(t, err)
		synctest.Wait()
		assert.InDelta(t, streamBuffer, written, 10_000)
		require.NoError(t, answer.Body.Close())
		assert.ErrorIs(t, <-ended, io.ErrClosedPipe)
	})
}

func TestTransportEndsWithTheContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slow := func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := through(t, ctx, nil, slow)
		require.ErrorIs(t, err, context.DeadlineExceeded, "before the answer")

		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		answer, err := through(t, ctx, nil, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "half")
			w.(http.Flusher).Flush()
			slow(w, r)
		})
		require.NoError(t, err)
		text, err := io.ReadAll(answer.Body)
		require.ErrorIs(t, err, context.DeadlineExceeded, "in the middle of it")
		assert.Equal(t, "half", string(text))
		require.NoError(t, answer.Body.Close())
	})
}

func TestTransportShowsCutConnections(t *testing.T) {
	t.Parallel()
	_, err := through(t, t.Context(), nil, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	_, err = through(t, t.Context(), nil, func(http.ResponseWriter, *http.Request) { panic(errors.New("a mistake")) })
	require.ErrorContains(t, err, "a mistake", "and panics")
	answer, err := through(t, t.Context(), nil, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "half")
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	})
	require.NoError(t, err)
	text, err := io.ReadAll(answer.Body)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	assert.Equal(t, "half", string(text))
	assert.EqualValues(t, 100, answer.ContentLength)
}

// What the caller sends is closed, and HEAD has no body.
func TestTransportManners(t *testing.T) {
	t.Parallel()
	closed := make(chan struct{})
	answer, err := through(t, t.Context(), &closing{
		strings.NewReader("body"),
		closed,
	}, func(http.ResponseWriter, *http.Request) {})
	require.NoError(t, err)
	<-closed
	require.NoError(t, answer.Body.Close())
	r, err := http.NewRequestWithContext(t.Context(), http.MethodHead, "https://login.microsoftonline.com/", nil)
	require.NoError(t, err)
	answer, err = RoundTrip(
		http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "text") }),
		r,
	)
	require.NoError(t, err)
	text, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	assert.Empty(t, text)
}

type closing struct {
	io.Reader
	closed chan struct{}
}

func (c *closing) Close() error {
	close(c.closed)
	return nil
}
