package console

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// maxStreamWait is how long a server may take to open its own stream. Its earlier requests are
// lost.
const maxStreamWait = 5 * time.Second

// streamTransport notices when the server has answered the first GET, with its own stream or with a
// refusal.
type streamTransport struct {
	next     http.RoundTripper
	once     sync.Once
	answered chan struct{}
}

func (t *streamTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := t.next.RoundTrip(request)
	if request.Method == http.MethodGet {
		t.once.Do(func() { close(t.answered) })
	}
	return response, err
}

// wait waits until the server has answered the first GET, or the time runs out.
func (t *streamTransport) wait(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, maxStreamWait)
	defer cancel()
	select {
	case <-t.answered:
	case <-ctx.Done():
	}
}
