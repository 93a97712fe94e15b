package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestAddressesWithoutAScheme(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"localhost":                  "http://localhost",
		"localhost:8000":             "http://localhost:8000",
		"localhost:8000/mcp?team=a":  "http://localhost:8000/mcp?team=a",
		"127.0.0.1:8000/mcp":         "http://127.0.0.1:8000/mcp",
		"[::1]:8000/mcp":             "http://[::1]:8000/mcp",
		"mcp.example.com/mcp":        "https://mcp.example.com/mcp",
		"mcp.example.com:8443":       "https://mcp.example.com:8443",
		"localhost.example.com":      "https://localhost.example.com",
		"https://mcp.example.com":    "https://mcp.example.com",
		"http://mcp.example.com/mcp": "http://mcp.example.com/mcp",
	} {
		assert.True(t, isAddress(given), given)
		assert.Equal(t, want, withScheme(given), given)
	}
	for _, word := range []string{"", "list", "whoami", "sign-in", "--url", `{"a.b":1}`, "name=value", "a b.c", "."} {
		assert.False(t, isAddress(word), word)
		assert.Equal(t, word, withScheme(word), word)
	}
}
