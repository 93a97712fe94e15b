package broker_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestRegistrationRefuses(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	for _, uri := range []string{
		"javascript:alert(1)", "JaVaScRiPt://x/%0aalert(1)", "data:text/html,x", "file:///etc/passwd", "myapp://cb",
		"", "/cb", "https:///cb",
		"http://evil.example/cb", "http://127.0.0.1.evil.example/", "http://0.0.0.0/cb", "http://[::ffff:127.0.0.1]/cb",
		"https://x.example/cb#f", "https://*.example/cb", "https://u:p@x.example/cb", `https://x.example\@y/`,
		"https://x.example/a b", "https://x.example/" + strings.Repeat("a", 3000),
		"https://x.example/cb?iss=https://evil", "https://x.example/cb?code=1",
		"https://x.example/?code=%zz", "https://x.example/?a=1;code=1", "https://x.example/?code=1;a",
		"https://x.example/?Code=1", "https://x.example/?state[]=1", "https://x.example/?+code=1",
		"https://x.example/?code%00=1", "https://x.example/?iss[0]=1", "https://x.example/?error_uri=https://evil",
	} {
		got, status := e.register(metadataOf("", uri))
		assert.Equal(t, 400, status, uri)
		assert.Equal(t, "invalid_redirect_uri", got.Error, uri)
	}
	for _, body := range []string{
		`{`,
		`[]`,
		`{"redirect_uris":"x"}`,
		`{"redirect_uris":["https://a.example/"],"redirect_uris":["https://b.example/"]}`,
	} {
		_, status := e.register(body)
		assert.Equal(t, 400, status, body)
	}
	got, status := e.register(`{"redirect_uris":["https://a.example/cb"],"foo":{"a":[1]},` +
		`"application_type":"native","client_id":"mine","client_secret":"s"}`)
	assert.Equal(t, 201, status)
	assert.NotEqual(t, "mine", got.ID)
	assert.NotEqual(t, "s", got.Secret)
	_, status = e.register(`{"redirect_uris":["https://a.example/cb"],"grant_types":[],"response_types":[]}`)
	assert.Equal(t, 201, status, "an empty list counts as no list")
}
