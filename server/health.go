package server

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"time"

	"mcpentra/server/entra"
)

// Check asks Entra once whether tenant, client ID and secret are right. If they are wrong, the
// error is an *entra.Error or *entra.PublicKeysError; any other error means that Entra cannot be
// reached. The server is ready once a check has succeeded.
func (s *Server) Check(ctx context.Context) error {
	err := s.mode.check(ctx)
	if err == nil {
		s.ready.Store(true)
	}
	return err
}

// Watch repeats Check, with growing pauses, until Entra answers or the context ends. Its error is
// the refusal, or the context's error.
func (s *Server) Watch(ctx context.Context) error {
	for pause := time.Second; ; pause = min(2*pause, time.Minute) {
		err := s.Check(ctx)
		var unavailable *entra.UnavailableError
		if !errors.As(err, &unavailable) {
			return err
		}
		s.log.WarnContext(ctx, "entra cannot be reached; the server runs, but sign-ins fail until it can be reached",
			"error", err, "again_in", pause.String())
		// The pause is random, so that replicas that started together do not ask together.
		timer := time.NewTimer(pause/2 + rand.N(pause))
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
	}
}

// Maintain does background work until the context ends, and returns the context's error. After a
// change of Config.Keys, it encrypts the records of the store anew. In direct mode it returns nil
// at once.
func (s *Server) Maintain(ctx context.Context) error { return s.mode.maintain(ctx) }

// handleHealth answers that the process runs.
func (s *Server) handleHealth(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, "ok\n")
}

// handleReady reports whether people can sign in. It reveals no more, because the endpoint is
// public.
func (s *Server) handleReady(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	if !s.ready.Load() {
		w.Header().Set("Retry-After", "5")
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, "not ready: Entra ID has not been reached yet\n")
		return
	}
	_, _ = io.WriteString(w, "ready\n")
}
