package console

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// firstStream is an http.RoundTripper that notices when the server has answered the first request
// for its own stream, with the stream or with a refusal.
type firstStream struct {
	next     http.RoundTripper
	once     sync.Once
	answered chan struct{}
}

func (f *firstStream) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := f.next.RoundTrip(request)
	if request.Method == http.MethodGet {
		f.once.Do(func() { close(f.answered) })
	}
	return response, err
}

// maxListening is how long a server may take to open its stream. What it asks before that is lost.
const maxListening = 5 * time.Second

func (f *firstStream) wait(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, maxListening)
	defer cancel()
	select {
	case <-f.answered:
	case <-ctx.Done():
	}
}
