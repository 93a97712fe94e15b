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

// TestFrontPageAgreesWithREADME compares the instructions for each client, and parses the JSON in
// them.
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

	for _, client := range connections(endpoint) {
		assert.Contains(t, client.Block, endpoint, client.Client)
		assert.Contains(t, page, client.Client)
		assert.Contains(t, page, client.Block)
		if client.Block != endpoint {
			assert.Contains(t, section, client.Block+"\n", client.Client)
		}
		if strings.HasPrefix(client.Block, "{") {
			assert.True(t, json.Valid([]byte(client.Block)), client.Block)
		}
	}
	assert.Contains(t, page, "registers itself")
	s.registers = false
	answer = httptest.NewRecorder()
	s.handleOrigin(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
	assert.Contains(t, answer.Body.String(), "application ID")
}
