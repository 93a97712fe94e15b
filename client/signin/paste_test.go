package signin_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client/discovery"
	"mcpentra/client/signin"
	"mcpentra/client/tokenrequest"
)

func TestPastedAddress(t *testing.T) {
	t.Parallel()
	const redirectURI = "http://localhost/callback"
	pending, err := signin.Begin(signin.Request{
		Issuer:      &discovery.Issuer{AuthorizationEndpoint: "https://login.example.com/authorize"},
		RedirectURI: redirectURI,
	})
	require.NoError(t, err)
	for name, text := range map[string]string{
		"as it is":              "http://localhost/callback?code=c-1&state=s-1",
		"with blanks around it": " \t http://localhost/callback?code=c-1&state=s-1 \r\n",
		"in quotes":             `"http://localhost/callback?code=c-1&state=s-1"`,
		"at another port":       "http://localhost:3000/callback?code=c-1&state=s-1",
		"with a fragment":       "http://localhost/callback?code=c-1&state=s-1#",
		"without its scheme":    "localhost:3000/callback?code=c-1&state=s-1",
	} {
		text = strings.ReplaceAll(text, "s-1", pending.State)
		params, err := pending.ReadPasted(text)
		require.NoError(t, err, name)
		assert.Equal(t, "c-1", params.Get("code"), name)
		assert.Equal(t, pending.State, params.Get("state"), name)
	}
	for name, c := range map[string]struct{ text, says string }{
		"nothing":              {"", "want the address that the browser ended at"},
		"the page itself":      {pending.URL, "that is the page itself"},
		"another path":         {"http://localhost/other?code=c-1", "begins with http://localhost/callback?"},
		"another host":         {"http://localhost.example.com/callback?code=c-1", "begins with http://localhost/"},
		"https for http":       {"https://localhost/callback?code=c-1", "begins with http://localhost/callback?"},
		"a code alone":         {"c-1", "begins with http://localhost/callback?"},
		"a query that is torn": {"http://localhost/callback?code=%c", "its query cannot be read"},
		"no query":             {"http://localhost/callback", "has no answer in it"},
		"a state that is torn": {"http://localhost/callback?code=c-1&state=s", "another sign-in"},
		"no state":             {"http://localhost/callback?code=c-1", "another sign-in"},
		"megabytes":            {redirectURI + "?" + strings.Repeat("x", 1<<20), "begins with http://localhost/"},
	} {
		_, err := pending.ReadPasted(c.text)
		require.ErrorContains(t, err, c.says, name)
		assert.NotContains(t, err.Error(), "c-1", name)
		assert.NotContains(t, err.Error(), pending.State, name)
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
	client, err := signin.Preregistered(
		&discovery.Issuer{AuthMethods: []string{"client_secret_basic", "private_key_jwt"}},
		"f5a3",
		"",
		true,
	)
	require.NoError(t, err)
	assert.Equal(t, tokenrequest.Client{ID: "f5a3", AuthMethod: "private_key_jwt"}, client)
	_, err = signin.Preregistered(&discovery.Issuer{AuthMethods: []string{"client_secret_basic"}}, "f5a3", "", true)
	require.ErrorContains(t, err, "takes no key")
}
