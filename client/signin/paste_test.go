package signin_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client/discovery"
	"mcpentra/client/grant"
	"mcpentra/client/signin"
)

func TestPastedAddress(t *testing.T) {
	t.Parallel()
	const redirectURI = "http://localhost/callback"
	for name, text := range map[string]string{
		"as it is":              "http://localhost/callback?code=c-1&state=s-1",
		"with blanks around it": " \t http://localhost/callback?code=c-1&state=s-1 \r\n",
		"in quotes":             `"http://localhost/callback?code=c-1&state=s-1"`,
		"at another port":       "http://localhost:3000/callback?code=c-1&state=s-1",
		"with a fragment":       "http://localhost/callback?code=c-1&state=s-1#",
	} {
		params, err := signin.ReadPasted(text, redirectURI)
		require.NoError(t, err, name)
		assert.Equal(t, "c-1", params.Get("code"), name)
		assert.Equal(t, "s-1", params.Get("state"), name)
	}
	for name, text := range map[string]string{
		"nothing":              "",
		"the page itself":      "https://login.example.com/authorize?state=s-1",
		"another path":         "http://localhost/other?code=c-1",
		"https for http":       "https://localhost/callback?code=c-1",
		"a code alone":         "c-1",
		"a query that is torn": "http://localhost/callback?code=%c",
		"megabytes":            redirectURI + "?" + strings.Repeat("x", 1<<20),
	} {
		_, err := signin.ReadPasted(text, redirectURI)
		require.Error(t, err, name)
		assert.NotContains(t, err.Error(), "c-1", name)
		assert.Less(t, len(err.Error()), 200, name)
	}
}

func TestClientDocuments(t *testing.T) {
	t.Parallel()
	require.NoError(t, signin.CheckClientDocument("https://app.example.com/client.json"))
	for _, address := range []string{
		"", "http://app.example.com/client.json", "https://app.example.com", "https://app.example.com/", "https://u:p@app.example.com/c", "https://app.example.com/c#x",
		"https://app.example.com/a/../c", "https://app.example.com/./c", "https:///c", "app.example.com/c", "https://app.example.com/%zz",
	} {
		assert.Error(t, signin.CheckClientDocument(address), address)
	}
}

func TestClientsWithAKey(t *testing.T) {
	t.Parallel()
	client, err := signin.Preregistered(&discovery.Issuer{AuthMethods: []string{"client_secret_basic", "private_key_jwt"}}, "f5a3", "", true)
	require.NoError(t, err)
	assert.Equal(t, grant.Client{ID: "f5a3", AuthMethod: "private_key_jwt"}, client)
	_, err = signin.Preregistered(&discovery.Issuer{AuthMethods: []string{"client_secret_basic"}}, "f5a3", "", true)
	require.ErrorContains(t, err, "takes no key")
}
