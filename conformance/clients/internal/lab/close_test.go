package lab_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"mcpentra/conformance/clients/internal/lab"
)

// A handler that asks for a new party's origin while the lab closes must not wait for the lab,
// which waits for it.
func TestCloseWhileAHandlerNamesAParty(t *testing.T) {
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
		require.Fail(t, "the lab does not close")
	}
}
