package lab_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/clients/internal/bench"
	"mcpentra/conformance/clients/internal/lab"
)

// TestRepliesIncludeLateReply ends the client while its redirect URI still writes the page.
func TestRepliesIncludeLateReply(t *testing.T) {
	t.Parallel()
	arrived := make(chan struct{}, 2)
	done := make(chan struct{})
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		arrived <- struct{}{}
		<-done
		_, _ = io.WriteString(w, "signed in")
	}))
	t.Cleanup(page.Close)
	l := lab.New(lab.Script{
		DefaultEndpoints: true,
		Answers: func(_ *lab.Lab, a *lab.Authorization) []lab.Answer {
			return []lab.Answer{a.Right(), a.Right()}
		},
	})
	t.Cleanup(l.Close)
	client := bench.Target{
		Timeout: time.Minute,
		Run: func(ctx context.Context, _ bench.Task) error {
			defer close(done)
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			go visit(ctx, l.Origin(lab.Issuer)+"/authorize?"+url.Values{
				"response_type":         {"code"},
				"client_id":             {"client"},
				"redirect_uri":          {page.URL},
				"code_challenge":        {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"},
				"code_challenge_method": {"S256"},
				"state":                 {"state"},
			}.Encode())
			select {
			case <-arrived:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		},
	}
	l.Run(t.Context(), &bench.Probe{Target: client})
	require.NotEmpty(t, l.Replies())
	assert.Equal(t, http.StatusOK, l.Replies()[0].Status)
	assert.Equal(t, "signed in", l.Replies()[0].Body)
	assert.True(t, l.HasListener())
}

func visit(ctx context.Context, address string) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return
	}
	transport := &http.Transport{DisableKeepAlives: true}
	if response, err := transport.RoundTrip(request); err == nil {
		response.Body.Close()
	}
}
