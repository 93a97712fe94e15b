package broker_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestRegistration(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	for _, uri := range []string{
		"javascript:alert(1)", "JaVaScRiPt://x/%0aalert(1)", "data:text/html,x", "file:///etc/passwd", "http://evil.example/cb", "https://x.example/cb#f",
		"https://*.example/cb", "https://u:p@x.example/cb", "", "/cb", "https:///cb", "myapp://cb", "http://0.0.0.0/cb", "http://127.0.0.1.evil.example/",
		"https://x.example/cb?iss=https://evil", "https://x.example/cb?code=1", `https://x.example\@y/`, "https://x.example/a b", "http://[::ffff:127.0.0.1]/cb",
		"https://x.example/" + strings.Repeat("a", 3000),
		"https://x.example/?code=%zz", "https://x.example/?a=1;code=1", "https://x.example/?code=1;a",
		"https://x.example/?Code=1", "https://x.example/?state[]=1", "https://x.example/?+code=1",
		"https://x.example/?code%00=1", "https://x.example/?iss[0]=1", "https://x.example/?error_uri=https://evil",
	} {
		text, _ := json.Marshal(map[string]any{"redirect_uris": []string{uri}})
		got, status := w.register(string(text))
		assert.Equal(t, 400, status, uri)
		assert.Equal(t, "invalid_redirect_uri", got.Error, uri)
	}
	for _, body := range []string{`{`, `[]`, `{"redirect_uris":"x"}`, `{"redirect_uris":["https://a.example/"],"redirect_uris":["https://b.example/"]}`} {
		_, status := w.register(body)
		assert.Equal(t, 400, status, body)
	}
	got, status := w.register(
		`{"redirect_uris":["https://a.example/cb"],"foo":{"a":[1]},"application_type":"native","client_id":"mine","client_secret":"s"}`,
	)
	assert.Equal(t, 201, status)
	assert.NotEqual(t, "mine", got.ID)
	assert.NotEqual(t, "s", got.Secret)
}
