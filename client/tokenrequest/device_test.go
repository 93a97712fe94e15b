package tokenrequest_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client/tokenrequest"
)

// scripted answers one request after another, without a network, so that time can be faked.
type scripted struct {
	answers []string // a status, a blank, and a body; empty is a network that fails
	forms   []url.Values
	at      []time.Duration // since the first
	began   time.Time
}

func (s *scripted) RoundTrip(r *http.Request) (*http.Response, error) {
	if s.began.IsZero() {
		s.began = time.Now()
	}
	s.at = append(s.at, time.Since(s.began))
	if err := r.ParseForm(); err != nil {
		return nil, err
	}
	s.forms = append(s.forms, r.PostForm)
	answer := s.answers[min(len(s.forms), len(s.answers))-1]
	if answer == "" {
		return nil, errors.New("no network")
	}
	status, body, _ := strings.Cut(answer, " ")
	return &http.Response{
		StatusCode: map[string]int{"200": 200, "400": 400, "503": 503}[status],
		Header:     http.Header{},
		Body:       io.NopCloser(strings.NewReader(body)),
		Request:    r,
	}, nil
}

const (
	device  = `200 {"device_code":"d-1","user_code":"WDJB-MJHT","verification_uri":"https://login.example.com/device","expires_in":60,"interval":5}`
	pending = `400 {"error":"authorization_pending"}`
)

func (s *scripted) run(t *testing.T, ctx context.Context) (*tokenrequest.Token, error) {
	endpoint := tokenrequest.Endpoint{
		URL:        "https://login.example.com/token",
		Client:     tokenrequest.Client{ID: "f5a3"},
		HTTPClient: &http.Client{Transport: s},
	}
	asked, err := endpoint.AskDevice(
		ctx,
		"https://login.example.com/device",
		[]string{"a", "b"},
		"https://mcp.example.com/mcp",
	)
	require.NoError(t, err)
	assert.Equal(t, "WDJB-MJHT", asked.UserCode)
	assert.Equal(t, "https://login.example.com/device", asked.VerificationURI)
	assert.Equal(
		t,
		url.Values{"client_id": {"f5a3"}, "scope": {"a b"}, "resource": {"https://mcp.example.com/mcp"}},
		s.forms[0],
	)
	return endpoint.AwaitDevice(ctx, asked)
}

func seconds(all ...int) []time.Duration {
	var out []time.Duration
	for _, one := range all {
		out = append(out, time.Duration(one)*time.Second)
	}
	return out
}

func TestDeviceIsAskedForAtThePaceOfTheServer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &scripted{
			answers: []string{
				strings.Replace(device, ":60", ":900", 1),
				pending,
				`400 {"error":"slow_down"}`,
				"",
				"503 busy",
				"200 " + issued,
			},
		}
		token, err := s.run(t, t.Context())
		require.NoError(t, err)
		assert.Equal(t, "a-1", token.Access)
		assert.Equal(
			t,
			seconds(0, 5, 10, 20, 40, 80),
			s.at,
			"five seconds, five more when told so, twice as many while nothing works",
		)
		assert.Equal(t, url.Values{
			"grant_type":  {"urn:ietf:params:oauth:grant-type:device_code"},
			"device_code": {"d-1"},
			"client_id":   {"f5a3"},
			"resource":    {"https://mcp.example.com/mcp"},
		}, s.forms[1])
	})
}

func TestDeviceThatIsNotApproved(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer string
		want   error
		says   string
		at     []time.Duration
	}{
		"the person declines":    {`400 {"error":"access_denied"}`, nil, "access_denied", seconds(0, 5)},
		"Entra's person does":    {`400 {"error":"authorization_declined"}`, nil, "authorization_declined", seconds(0, 5)},
		"the server has no more": {`400 {"error":"expired_token"}`, tokenrequest.ErrExpired, "", seconds(0, 5)},
		"nobody comes":           {pending, tokenrequest.ErrExpired, "", seconds(0, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &scripted{answers: []string{device, c.answer}}
				_, err := s.run(t, t.Context())
				require.Error(t, err)
				if c.want != nil {
					require.ErrorIs(t, err, c.want)
				} else {
					require.ErrorContains(t, err, c.says)
				}
				assert.Equal(t, c.at, s.at)
			})
		})
	}
}

func TestWaitingForADeviceEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 7*time.Second)
		defer cancel()
		s := &scripted{answers: []string{device, pending}}
		_, err := s.run(t, ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, seconds(0, 5), s.at)
	})
}

func TestDeviceAnswersThatAreNotWhole(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ answer, says string }{
		"without a code":     {`200 {"user_code":"x","verification_uri":"https://login.example.com"}`, "one is missing"},
		"with an endless":    {`200 {"device_code":"d","user_code":"` + strings.Repeat("x", 300) + `","verification_uri":"https://login.example.com"}`, "one is missing"},
		"with no JSON":       {`200 <p>`, "not the JSON"},
		"refused":            {`400 {"error":"unauthorized_client"}`, "unauthorized_client"},
		"broken":             {`503 x`, "status 503"},
		"without a network":  {``, "no network"},
		"with an old member": {`200 {"device_code":"d","user_code":"\u001b","verification_url":"https://login.example.com","interval":"7","expires_in":1e6}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &scripted{answers: []string{c.answer}}
			endpoint := tokenrequest.Endpoint{HTTPClient: &http.Client{Transport: s}, Now: noon}
			asked, err := endpoint.AskDevice(t.Context(), "https://login.example.com/device", nil, "")
			if c.says != "" {
				require.ErrorContains(t, err, c.says)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, "?", asked.UserCode, "nothing for a terminal")
			assert.Equal(t, noon().Add(time.Hour), asked.Expiry)
		})
	}
}
