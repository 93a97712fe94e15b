package envfile

import (
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestKeysAreThoseOfExample compares the names with .env.example.
func TestKeysAreThoseOfExample(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../.env.example")
	require.NoError(t, err)
	var named []string
	for _, match := range regexp.MustCompile(`(?m)^#?([A-Z_]+)=`).FindAllStringSubmatch(string(text), -1) {
		named = append(named, match[1])
	}
	assert.ElementsMatch(t, named, keys)
	for _, rule := range rules {
		assert.Contains(t, keys, rule.key)
	}
	for _, rule := range fileRules {
		assert.Contains(t, keys, rule.key)
	}
	assert.Subset(t, keys, restrictions)
	assert.Subset(t, keys, limits)
}

func TestNearestFindsMisspeltNames(t *testing.T) {
	t.Parallel()
	for written, want := range map[string]string{
		"AUTH_TENNANT_ID":          "AUTH_TENANT_ID",
		"auth_tenant_id":           "AUTH_TENANT_ID",
		"AUTH-TENANT-ID":           "AUTH_TENANT_ID",
		"TENANT_AUTH_ID":           "AUTH_TENANT_ID",
		"AZURE_TENANT_ID":          "AUTH_TENANT_ID",
		"ENTRA_CLIENT_ID":          "AUTH_CLIENT_ID",
		"AUTH_SECRET":              "AUTH_CLIENT_SECRET",
		"AUTH_CLIENT_SECRET_VALUE": "AUTH_CLIENT_SECRET",
		"AUTH_ALLOWED_CLIENT_IDS":  "AUTH_ALLOWED_CLIENTS",
		"MCP_ALLOWED_ORIGIN":       "MCP_ALLOWED_ORIGINS",
		"MCP_PROXIES_TRUSTED":      "MCP_TRUSTED_PROXIES",
		"STORE":                    "",
		"PATH":                     "",
		"HOME":                     "",
		"AUTH0_CLIENT_ID":          "",
		"DATABASE_URL":             "",
		"":                         "",
		"_":                        "",
	} {
		assert.Equal(t, want, nearest(written), "%q", written)
	}
}
