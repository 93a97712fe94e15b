package server

import (
	"encoding/json"
	"html"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestFrontPageAgreesWithREADME on how to connect each client. Blocks that look like JSON are JSON.
func TestFrontPageAgreesWithREADME(t *testing.T) {
	t.Parallel()
	const endpoint = "http://localhost:8000/mcp"
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	_, section, found := strings.Cut(string(readme), "\n### Connect your client\n")
	require.True(t, found)
	section, _, _ = strings.Cut(section, "\n### ")

	s := &Server{name: "localhost:8000", resource: endpoint, path: "/mcp", registers: true}
	answer := httptest.NewRecorder()
	s.handleOrigin(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
	page := html.UnescapeString(answer.Body.String())

	for _, one := range connections(endpoint) {
		assert.Contains(t, one.Block, endpoint, one.Client)
		assert.Contains(t, page, one.Client)
		assert.Contains(t, page, one.Block)
		if one.Block != endpoint {
			assert.Contains(t, section, one.Block+"\n", one.Client)
		}
		if strings.HasPrefix(one.Block, "{") {
			assert.True(t, json.Valid([]byte(one.Block)), one.Block)
		}
	}
	assert.Contains(t, page, "registers itself")
	s.registers = false
	answer = httptest.NewRecorder()
	s.handleOrigin(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
	assert.Contains(t, answer.Body.String(), "application ID")
}
