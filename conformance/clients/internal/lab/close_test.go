package lab_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"mcpentra/conformance/clients/internal/lab"
)

// TestCloseEndsDuringHandler closes the lab while a handler asks for the origin of a new party. The
// two must not wait for each other.
func TestCloseEndsDuringHandler(t *testing.T) {
	t.Parallel()
	reached := make(chan struct{})
	gone := make(chan struct{})
	l := lab.New(lab.Script{Challenge: func(l *lab.Lab) []string {
		close(reached)
		<-gone
		return []string{`Bearer resource_metadata="` + l.Origin(lab.Second) + `"`}
	}})
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, l.URL(), nil)
	require.NoError(t, err)
	go func() {
		defer close(gone)
		transport := &http.Transport{DisableKeepAlives: true}
		if response, err := transport.RoundTrip(request); err == nil {
			response.Body.Close()
		}
	}()
	<-reached
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		l.Close()
	}()
	select {
	case <-closed:
	case <-time.After(time.Minute):
		require.Fail(t, "the lab did not close within a minute")
	}
}
