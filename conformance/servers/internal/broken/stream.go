package broken

import (
	"context"
	"fmt"
	"net/http"
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
	events := make(chan string, 16)
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
	for {
		select {
		case marker := <-events:
			fmt.Fprintf(
				w,
				"data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"info\","+
					"\"data\":%q}}\n\n",
				marker,
			)
			_ = out.Flush()
		case <-s.done:
			return
		case <-ctx.Done():
			return
		}
	}
}

// sendEvent writes the event of a tool run to the caller's streams. The caller holds the lock.
func (s *Server) sendEvent(owner, marker string) {
	for events, other := range s.streams {
		if other != owner && !s.has(StreamsEverything) {
			continue
		}
		select {
		case events <- marker:
		default: // the client does not read
		}
	}
}
