//go:build unix

package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra/useragent"
)

// elsewhere is a browser on another machine. It ends at a loopback address there, where no server
// answers. It returns this address.
func elsewhere(t *testing.T, page string) string {
	t.Helper()
	ended := &addressLine{}
	_, err := (&useragent.Browser{Transport: ended}).Visit(t.Context(), page)
	require.Error(t, err)
	require.NotEmpty(t, ended.address)
	return ended.address
}

// addressLine records the address that the browser ends at.
type addressLine struct{ address string }

func (a *addressLine) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.URL.Host == "localhost" && request.URL.Path == "/callback" {
		a.address = request.URL.String()
		return nil, http.ErrServerClosed
	}
	return http.DefaultTransport.RoundTrip(request)
}

func TestPasteTakesAddressFromTerminal(t *testing.T) {
	t.Parallel()
	people, stop := forPeople(t)
	t.Cleanup(stop)
	for name, long := range map[string]int{"short": 0, "longer than a terminal's own lines": 6000} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			terminal := inTerminal(t, "--paste", "--token-store", "memory", people, "list")
			address := elsewhere(t, pageIn(t, terminal.await("paste here> ")))
			if long > 0 {
				address += "&x_padding=" + strings.Repeat("x", long)
			}
			terminal.write(address + "\r")
			assert.Zero(t, terminal.status(), terminal.text())
			assert.Contains(t, terminal.text(), "get_user_name")
			assert.NotContains(t, terminal.text(), "code=", "the address with the code is not echoed")
		})
	}
}

func TestPasteAsksAgainAfterWrongAddress(t *testing.T) {
	t.Parallel()
	people, stop := forPeople(t)
	t.Cleanup(stop)
	terminal := inTerminal(t, "--paste", "--token-store", "memory", people, "list")
	page := pageIn(t, terminal.await("paste here> "))
	for says, typed := range map[string]string{
		"that is the page itself":                    page,
		"want the address that the browser ended at": "https://bank.example.com/",
		"belongs to another sign-in":                 "http://localhost/callback?code=c-1&state=s-1",
	} {
		asked := strings.Count(terminal.text(), "paste here> ")
		terminal.write(typed + "\r")
		terminal.await(says)
		terminal.awaitCount("paste here> ", asked+1)
	}
	terminal.write("\r")
	terminal.awaitCount("paste here> ", 5)
	terminal.write(elsewhere(t, page) + "\r")
	assert.Zero(t, terminal.status(), terminal.text())
	assert.Contains(t, terminal.text(), "get_user_name")
}

func TestPasteEndsOnCtrlCAndCtrlD(t *testing.T) {
	t.Parallel()
	people, stop := forPeople(t)
	t.Cleanup(stop)
	for name, typed := range map[string]string{"with Ctrl-C": "\x03", "with Ctrl-D": "\x04"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			terminal := inTerminal(t, "--paste", "--token-store", "memory", people, "list")
			terminal.await("paste here> ")
			terminal.write("http://localhost/callback?half" + strings.Repeat("\x7f", 30) + typed)
			assert.Equal(t, exitSignIn, terminal.status(), terminal.text())
		})
	}
}
