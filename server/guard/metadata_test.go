package guard_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMetadata(t *testing.T) {
	t.Parallel()
	g := newGuard(t, baseConfig(), &recorder{})
	require.Equal(t, "/.well-known/oauth-protected-resource/mcp", g.MetadataPath())
	get := func(method string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		g.Metadata().ServeHTTP(w, httptest.NewRequest(method, "https://mcp.example"+g.MetadataPath(), nil))
		return w
	}
	w := get(http.MethodGet)
	require.Equal(t, http.StatusOK, w.Code)
	var document map[string]any
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &document))
	assert.Equal(t, map[string]any{
		"resource":                 resource,
		"authorization_servers":    []any{"https://mcp.example"},
		"scopes_supported":         []any{"user.read"},
		"bearer_methods_supported": []any{"header"},
		"resource_name":            "Example",
	}, document)
	assert.Equal(t, "application/json", w.Header().Get("Content-Type"))
	assert.Equal(t, "*", w.Header().Get("Access-Control-Allow-Origin"))
	assert.Contains(t, w.Header().Get("Cache-Control"), "max-age=")
	assert.Empty(t, w.Header().Get("Access-Control-Allow-Credentials"))

	head := get(http.MethodHead)
	assert.Equal(t, http.StatusOK, head.Code)
	assert.Empty(t, head.Body.String())
	assert.Equal(t, http.StatusNoContent, get(http.MethodOptions).Code)
	post := get(http.MethodPost)
	assert.Equal(t, http.StatusMethodNotAllowed, post.Code)
	assert.NotEmpty(t, post.Header().Get("Allow"))
}

func TestMetadataOfOrigin(t *testing.T) {
	t.Parallel()
	config := baseConfig()
	config.Resource = "https://mcp.example"
	config.Scopes = nil
	config.ResourceName = ""
	g := newGuard(t, config, &recorder{})
	require.Equal(t, "/.well-known/oauth-protected-resource", g.MetadataPath())
	w := httptest.NewRecorder()
	g.Metadata().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "https://mcp.example"+g.MetadataPath(), nil))
	assert.NotContains(t, w.Body.String(), "scopes_supported", "an empty list would mean no scopes")
	assert.NotContains(t, w.Body.String(), "resource_name")

	w = httptest.NewRecorder()
	g.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "https://mcp.example/", nil))
	assert.Equal(
		t,
		`Bearer resource_metadata="https://mcp.example/.well-known/oauth-protected-resource"`,
		w.Header().Get("WWW-Authenticate"),
	)
}
