package client_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client"
)

func TestReadServerURL(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"https://MCP.Example.com/Mcp?x=Y#z": "https://mcp.example.com/Mcp?x=Y",
		"HTTP://localhost:8000/mcp":         "http://localhost:8000/mcp",
		"http://[::1]:8000/mcp":             "http://[::1]:8000/mcp",
	} {
		parsed, err := client.ReadServerURL(text)
		require.NoError(t, err)
		assert.Equal(t, want, parsed.String())
	}
	for text, says := range map[string]string{
		"":                               "want the URL of an MCP server",
		"localhost:8000/mcp":             "want the URL of an MCP server",
		"mcp.example.com":                "want the URL of an MCP server",
		"http://localhost:80000/mcp":     "want a port from 1 to 65535",
		"https://mcp.example.com:0/mcp":  "want a port from 1 to 65535",
		"ftp://mcp.example.com/":         "want an https or http URL",
		"http://mcp.example.com/mcp":     "must not travel over plain http",
		"http://127.0.0.1.nip.io/mcp":    "must not travel over plain http",
		"https://u:word@mcp.example.com": "user name or password",
	} {
		_, err := client.New(client.Config{Server: text})
		require.ErrorContains(t, err, says, text)
		assert.NotContains(t, err.Error(), "word@")
	}
}

func TestNewRefusesConfig(t *testing.T) {
	t.Parallel()
	_, err := client.New(client.Config{Server: "https://mcp.example.com", ClientSecret: "secret-1"})
	require.ErrorContains(t, err, "a client secret without a client ID")
	env := newEnv(t)
	_, through := env.client(func(config *client.Config) { config.RedirectURI = "https://localhost/callback" })
	_, err = through.Get(env.URL + "/mcp")
	require.ErrorContains(t, err, "redirect URI: want http on a loopback address")
}

func TestSignInErrorSaysSoOnce(t *testing.T) {
	t.Parallel()
	inner := &client.SignInError{Err: client.ErrNoAnswer}
	assert.Equal(t, "sign-in: "+client.ErrNoAnswer.Error(), (&client.SignInError{Err: inner}).Error())
	assert.Equal(t, inner.Error(), (&client.SignInError{Err: fmt.Errorf("%w", inner)}).Error())
	assert.Equal(
		t,
		"sign-in: sign-in: as the server says",
		(&client.SignInError{Err: errors.New("sign-in: as the server says")}).Error(),
		"another error is shown unchanged",
	)
	assert.ErrorIs(t, &client.SignInError{Err: inner}, client.ErrNoAnswer)
}
