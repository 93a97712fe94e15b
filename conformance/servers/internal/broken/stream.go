package broken

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// serveStream answers a GET with the events of the caller's tool runs, until the token expires.
func (s *Server) serveStream(w http.ResponseWriter, r *http.Request, caller claims) {
	found := s.joinSession(w, r, caller)
	if found == nil {
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	if caller.Expiry != nil && !s.has(StreamsAfterExpiry) {
		ctx, cancel = context.WithDeadline(ctx, caller.Expiry.Time())
		defer cancel()
	}
	events := make(chan event, 16)
	s.mu.Lock()
	s.streams[events] = found.owner
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.streams, events)
	}()
	out := http.NewResponseController(w)
	_ = out.SetReadDeadline(time.Time{})
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
	_ = out.Flush()
	if after, err := strconv.Atoi(r.Header.Get("Last-Event-Id")); err == nil {
		for _, missed := range s.missedEvents(found.owner, after) {
			missed.write(w)
		}
		_ = out.Flush()
	}
	for {
		select {
		case made := <-events:
			made.write(w)
			_ = out.Flush()
		case <-s.done:
			return
		case <-ctx.Done():
			return
		}
	}
}

// write writes the event as a log message.
func (e *event) write(w io.Writer) {
	fmt.Fprintf(
		w,
		"id: %d\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"info\","+
			"\"data\":%q}}\n\n",
		e.id,
		e.marker,
	)
}

// sendEvent writes the event of a tool run to the caller's streams. The caller holds the lock.
func (s *Server) sendEvent(owner, marker string) {
	made := s.keepEvent(owner, marker)
	for events, other := range s.streams {
		if other != owner && !s.has(StreamsEverything) {
			continue
		}
		select {
		case events <- made:
		default: // the client does not read
		}
	}
}
