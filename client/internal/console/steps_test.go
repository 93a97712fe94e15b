package console_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"mcpentra/client"
	"mcpentra/client/internal/console"
)

func TestStepsNumbersEvents(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	steps := console.NewSteps(&out, true)
	for _, event := range []client.Event{
		client.Challenged{Method: "POST", URL: "http://localhost:8000/mcp", Status: 401},
		client.ResourceFound{},
		client.IssuerFound{
			AuthorizationEndpoint: "http://localhost:8000/authorize",
			TokenEndpoint:         "http://localhost:8000/token",
		},
		client.Registered{ClientID: "f5a3", AuthMethod: "none", Preregistered: true},
		client.PageReady{URL: "http://localhost:8000/authorize?x=y", RedirectURI: "http://localhost:3000/callback"},
		client.PasteRefused{Reason: "want the address that the browser ended at"},
		client.BrowserFailed{Reason: "no browser was opened\nbecause the display is missing"},
		client.DeviceReady{URL: "http://localhost:8000/device", UserCode: "WDJB", Lifetime: time.Minute},
		client.Answered{},
		client.Issued{Scopes: []string{"a", "b"}, Lifetime: 10 * time.Minute, Renewable: true},
		client.Issued{Refreshed: true},
	} {
		steps.Trace(event)
	}
	assert.Equal(t, ` 1. POST http://localhost:8000/mcp
    answer: 401
    WWW-Authenticate: (none)
 2. No protected resource metadata: the client assumes a server of MCP 2025-03-26, `+
		`which is its own authorization server
 3. No authorization server metadata: the client uses the default paths of MCP 2025-03-26
    authorization: http://localhost:8000/authorize
    token: http://localhost:8000/token
 4. Known to the authorization server beforehand
    client ID: f5a3
    authentication: none
 5. Open this page to sign in and approve
    http://localhost:8000/authorize?x=y
    waiting for the answer at http://localhost:3000/callback
 6. That is not the answer yet
    want the address that the browser ended at
 7. no browser was opened
    because the display is missing
    Open the page's address yourself in a browser on this machine: the program waits for the answer.
    If the browser is on another machine, press Ctrl-C and start again with --paste.
    With --no-browser the program does not try to open one.
 8. Open this page on any device to sign in and approve
    http://localhost:8000/device
    and enter the code WDJB
    within 1m0s
 9. The answer has arrived: its state is right, and it does not name its issuer
10. Got an access token
    type: Bearer, scopes: a b, good for 10m0s, with a refresh token
11. Got a new access token with the refresh token
    type: Bearer, scopes: (none)
`, out.String())
}
