package tokenrequest_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"mcpentra/client/tokenrequest"
)

// The environment of this package's tests: fake authorization servers.
//
//	fakeIssuer       a server that gives every request the same response
//	scriptedNetwork  responses in order without a network, for tests in a synctest bubble
//	noon             the time in tests that need one

// tokenJSON is a complete token response.
const tokenJSON = `{"access_token":"a-1","token_type":"bearer","expires_in":600,"refresh_token":"r-1","scope":"x y"}`

func noon() time.Time { return time.Date(2026, 7, 28, 12, 0, 0, 0, time.UTC) }

// A fakeIssuer gives every request the same response, and keeps the last request.
type fakeIssuer struct {
	*httptest.Server
	requests int
	header   http.Header
	form     url.Values
	query    string
}

func newFakeIssuer(t *testing.T, status int, body string) *fakeIssuer {
	t.Helper()
	i := &fakeIssuer{}
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i.requests++
		assert.NoError(t, r.ParseForm())
		i.header = r.Header
		i.form = r.PostForm
		i.query = r.URL.RawQuery
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}))
	t.Cleanup(i.Close)
	return i
}

func (i *fakeIssuer) endpoint(client tokenrequest.Client) *tokenrequest.Endpoint {
	return &tokenrequest.Endpoint{URL: i.URL + "/token", Client: client, HTTPClient: i.Client(), Now: noon}
}

// A scriptedNetwork gives one response after the other, and repeats the last one. It uses no
// network, so that time can be faked.
type scriptedNetwork struct {
	// responses are a status, a blank and a body. An empty response is a network that fails.
	responses []string
	forms     []url.Values
	times     []time.Duration // since the first request
	start     time.Time
}

func (n *scriptedNetwork) RoundTrip(r *http.Request) (*http.Response, error) {
	if n.start.IsZero() {
		n.start = time.Now()
	}
	n.times = append(n.times, time.Since(n.start))
	if err := r.ParseForm(); err != nil {
		return nil, err
	}
	n.forms = append(n.forms, r.PostForm)
	response := n.responses[min(len(n.forms), len(n.responses))-1]
	if response == "" {
		return nil, errors.New("no network")
	}
	status, body, _ := strings.Cut(response, " ")
	code, err := strconv.Atoi(status)
	return &http.Response{
		StatusCode: code,
		Header:     http.Header{},
		Body:       io.NopCloser(strings.NewReader(body)),
		Request:    r,
	}, err
}
