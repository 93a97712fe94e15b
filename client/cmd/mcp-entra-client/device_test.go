//go:build unix

package main

import (
	"net/http"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra/useragent"
)

// TestPersonTypesCode signs in with a code at this repository's server. The person types it in a
// browser elsewhere.
func TestPersonTypesCode(t *testing.T) {
	t.Parallel()
	people, stop := forPeople(t)
	t.Cleanup(stop)
	terminal := inTerminal(t, "--device-code", "--token-store", "memory", people, "list")
	said := terminal.await("within 10m0s")
	page := regexp.MustCompile(`http://localhost:\d+/device\b`).FindString(said)
	code := regexp.MustCompile(`enter the code (\S+)`).FindStringSubmatch(said)
	require.NotNil(t, code, said)
	browser := &useragent.Browser{Fields: map[string]string{"user_code": code[1]}}
	last, err := browser.Visit(t.Context(), page)
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, last.Status)
	assert.Contains(t, last.Text, "“\u2068mcp-entra-client\u2069” can now act as")
	assert.Zero(t, terminal.status(), terminal.text())
	assert.Contains(t, terminal.text(), "get_user_name")
}

// TestPersonRefusesCode ends the program's sign-in on the consent page.
func TestPersonRefusesCode(t *testing.T) {
	t.Parallel()
	people, stop := forPeople(t)
	t.Cleanup(stop)
	terminal := inTerminal(t, "--device-code", "--token-store", "memory", people, "list")
	said := terminal.await("within 10m0s")
	page := regexp.MustCompile(`http://localhost:\d+/device\b`).FindString(said)
	code := regexp.MustCompile(`enter the code (\S+)`).FindStringSubmatch(said)
	require.NotNil(t, code, said)
	browser := &useragent.Browser{Fields: map[string]string{"user_code": code[1]}, Deny: true}
	_, err := browser.Visit(t.Context(), page)
	require.NoError(t, err)
	assert.Equal(t, 3, terminal.status(), terminal.text())
	assert.Contains(t, terminal.text(), "access_denied")
}
