package tokenrequest_test

import (
	"context"
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

const (
	deviceResponse = `200 {"device_code":"d-1","user_code":"WDJB-MJHT",` +
		`"verification_uri":"https://login.example.com/device","expires_in":60,"interval":5}`
	pendingResponse = `400 {"error":"authorization_pending"}`
)

// awaitDevice requests a device code, and then its token.
func awaitDevice(t *testing.T, ctx context.Context, network *scriptedNetwork) (*tokenrequest.Token, error) {
	t.Helper()
	endpoint := tokenrequest.Endpoint{
		URL:        "https://login.example.com/token",
		Client:     tokenrequest.Client{ID: "f5a3"},
		HTTPClient: &http.Client{Transport: network},
	}
	device, err := endpoint.AuthorizeDevice(
		ctx,
		"https://login.example.com/device",
		[]string{"a", "b"},
		"https://mcp.example.com/mcp",
	)
	require.NoError(t, err)
	assert.Equal(t, "WDJB-MJHT", device.UserCode)
	assert.Equal(t, "https://login.example.com/device", device.VerificationURI)
	assert.Equal(t, url.Values{
		"client_id": {"f5a3"},
		"scope":     {"a b"},
		"resource":  {"https://mcp.example.com/mcp"},
	}, network.forms[0])
	return endpoint.AwaitDeviceToken(ctx, device)
}

func seconds(numbers ...int) []time.Duration {
	var times []time.Duration
	for _, number := range numbers {
		times = append(times, time.Duration(number)*time.Second)
	}
	return times
}

func TestAwaitDeviceTokenKeepsServersPace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		network := &scriptedNetwork{responses: []string{
			strings.Replace(deviceResponse, ":60", ":900", 1),
			pendingResponse,
			`400 {"error":"slow_down"}`,
			"",
			"503 busy",
			"200 " + tokenJSON,
		}}
		token, err := awaitDevice(t, t.Context(), network)
		require.NoError(t, err)
		assert.Equal(t, "a-1", token.Access)
		// The interval is 5 s. slow_down adds 5 s, and each failure doubles it.
		assert.Equal(t, seconds(0, 5, 10, 20, 40, 80), network.times)
		assert.Equal(t, url.Values{
			"grant_type":  {"urn:ietf:params:oauth:grant-type:device_code"},
			"device_code": {"d-1"},
			"client_id":   {"f5a3"},
			"resource":    {"https://mcp.example.com/mcp"},
		}, network.forms[1])
	})
}

func TestAwaitDeviceTokenEndsWithoutApproval(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		response string
		want     error
		text     string
		times    []time.Duration
	}{
		{"the person declines", `400 {"error":"access_denied"}`, nil, "access_denied", seconds(0, 5)},
		{
			"the person declines at Entra ID",
			`400 {"error":"authorization_declined"}`,
			nil,
			"authorization_declined",
			seconds(0, 5),
		},
		{
			"the server says the code expired",
			`400 {"error":"expired_token"}`,
			tokenrequest.ErrDeviceCodeExpired,
			"",
			seconds(0, 5),
		},
		{
			"no person approves",
			pendingResponse,
			tokenrequest.ErrDeviceCodeExpired,
			"",
			seconds(0, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60),
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				network := &scriptedNetwork{responses: []string{deviceResponse, c.response}}
				_, err := awaitDevice(t, t.Context(), network)
				require.Error(t, err)
				if c.want != nil {
					require.ErrorIs(t, err, c.want)
				} else {
					require.ErrorContains(t, err, c.text)
				}
				assert.Equal(t, c.times, network.times)
			})
		})
	}
}

func TestAwaitDeviceTokenEndsWithContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 7*time.Second)
		defer cancel()
		network := &scriptedNetwork{responses: []string{deviceResponse, pendingResponse}}
		_, err := awaitDevice(t, ctx, network)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, seconds(0, 5), network.times)
	})
}

func TestAuthorizeDeviceRefusesOtherResponses(t *testing.T) {
	t.Parallel()
	const uri = `"verification_uri":"https://login.example.com"`
	for _, c := range []struct{ name, response, text string }{
		{"no device code", `200 {"user_code":"x",` + uri + `}`, "missing or too long"},
		{
			"long user code",
			`200 {"device_code":"d","user_code":"` + strings.Repeat("x", 300) + `",` + uri + `}`,
			"missing or too long",
		},
		{"page", `200 <p>`, "want a JSON object"},
		{"refusal", `400 {"error":"unauthorized_client"}`, "unauthorized_client"},
		{"broken server", `503 x`, "status 503"},
		{"broken network", ``, "no network"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			network := &scriptedNetwork{responses: []string{c.response}}
			endpoint := tokenrequest.Endpoint{HTTPClient: &http.Client{Transport: network}, Now: noon}
			_, err := endpoint.AuthorizeDevice(t.Context(), "https://login.example.com/device", nil, "")
			require.ErrorContains(t, err, c.text)
		})
	}
}

func TestAuthorizeDeviceAcceptsOlderResponse(t *testing.T) {
	t.Parallel()
	network := &scriptedNetwork{responses: []string{`200 {"device_code":"d","user_code":"\u001b",` +
		`"verification_url":"https://login.example.com","interval":"7","expires_in":1e6}`}}
	endpoint := tokenrequest.Endpoint{HTTPClient: &http.Client{Transport: network}, Now: noon}
	device, err := endpoint.AuthorizeDevice(t.Context(), "https://login.example.com/device", nil, "")
	require.NoError(t, err)
	assert.Equal(t, "https://login.example.com", device.VerificationURI)
	assert.Equal(t, "?", device.UserCode, "no control character reaches the terminal")
	assert.Equal(t, noon().Add(time.Hour), device.Expiry)
}
