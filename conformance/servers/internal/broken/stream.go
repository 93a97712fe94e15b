package broken

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// serveStream answers a GET with the events of the caller's tool runs, until the token expires.
func (t *Server) serveStream(w http.ResponseWriter, r *http.Request, caller claims) {
	found := t.joinSession(w, r, caller)
	if found == nil {
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	if caller.Expiry != nil && !t.has(StreamsForEver) {
		ctx, cancel = context.WithDeadline(ctx, caller.Expiry.Time())
		defer cancel()
	}
	events := make(chan string, 16)
	t.mu.Lock()
	t.streams[events] = found.owner
	t.mu.Unlock()
	defer func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.streams, events)
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
		case <-t.done:
			return
		case <-ctx.Done():
			return
		}
	}
}

// tell writes the event of a tool run to the streams of whoever ran it. The server is locked.
func (t *Server) tell(owner, marker string) {
	for events, other := range t.streams {
		if other != owner && !t.has(StreamsEverything) {
			continue
		}
		select {
		case events <- marker:
		default: // a reader that does not read
		}
	}
}
