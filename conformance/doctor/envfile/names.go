package envfile

import (
	"slices"
	"strings"
)

// keys are the settings of mcp-entra-server, in the order of .env.example.
var keys = []string{
	"AUTH_TENANT_ID", "AUTH_CLIENT_ID", "AUTH_CLIENT_SECRET", "AUTH_CLIENT_SECRET_FILE", "AUTH_CERTIFICATE_FILE",
	"AUTH_FEDERATED_TOKEN_FILE", "AUTH_MANAGED_IDENTITY", "AUTH_AUTHORITY", "AUTH_GRAPH_URL", "AUTH_CA_FILE",
	"AUTH_REDIRECT_URI", "AUTH_MODE", "AUTH_AUDIENCE", "AUTH_SCOPES", "AUTH_TOKEN_VERSION", "AUTH_ALLOWED_TENANTS",
	"AUTH_ALLOWED_CLIENTS", "AUTH_CONFIDENTIAL_CLIENTS", "AUTH_APP_ROLES", "AUTH_CLIENTS_FILE", "AUTH_RESOURCES_FILE",
	"AUTH_CLIENT_DOCUMENTS", "AUTH_REGISTRATION", "AUTH_REGISTRATION_TOKEN_FILE", "AUTH_REGISTRATION_REDIRECTS",
	"AUTH_PRIVATE_USE_REDIRECTS", "AUTH_ASSERTION_AUDIENCE", "MCP_ADDR", "MCP_ADMIN_ADDR", "MCP_ADMIN_SECRET_FILE",
	"MCP_PUBLIC_URL", "MCP_PATH", "MCP_UPSTREAM", "MCP_UPSTREAM_HEADERS", "MCP_UPSTREAM_QUERY", "MCP_STATEFUL",
	"MCP_LEGACY_SSE", "MCP_MAX_CALL", "MCP_CALLER_SESSIONS", "MCP_CALLER_STREAMS", "MCP_CALLER_CALLS",
	"MCP_TOTAL_SESSIONS", "MCP_TOTAL_STREAMS", "MCP_TOTAL_CALLS", "MCP_BATCH_ANSWERS", "MCP_ALLOWED_ORIGINS",
	"MCP_TRUSTED_PROXIES", "MCP_REGISTRATIONS_PER_MINUTE", "MCP_CLIENT_REQUESTS_PER_MINUTE",
	"MCP_WRONG_CREDENTIALS_PER_MINUTE", "MCP_PENDING_SIGN_INS", "MCP_FETCHES_AT_ONCE", "STORE_URL",
	"STORE_MAX_RECORDS", "MCP_KEYS_FILE",
}

// clientKeys are settings of mcp-entra-client, which may be in the same file.
var clientKeys = []string{
	"MCP_URL", "MCP_ACCOUNT", "MCP_CLIENT_ID", "MCP_CLIENT_SECRET", "MCP_CLIENT_SECRET_FILE", "MCP_CLIENT_KEY_FILE",
	"MCP_CLIENT_ISSUER", "MCP_CLIENT_METADATA_URL", "MCP_REDIRECT_URI", "MCP_ID_TOKEN", "MCP_ID_TOKEN_FILE",
	"MCP_IDP_CLIENT_SECRET", "MCP_TOKEN", "MCP_TOKEN_STORE",
}

// restrictions are the settings that say who may call. An empty or misspelt one would restrict
// nothing, so the server does not start.
var restrictions = []string{
	"AUTH_ALLOWED_CLIENTS", "AUTH_ALLOWED_TENANTS", "AUTH_APP_ROLES", "AUTH_CONFIDENTIAL_CLIENTS", "AUTH_SCOPES",
	"AUTH_CLIENT_DOCUMENTS", "AUTH_REGISTRATION", "AUTH_REGISTRATION_REDIRECTS", "AUTH_PRIVATE_USE_REDIRECTS",
	"MCP_ALLOWED_ORIGINS", "MCP_TRUSTED_PROXIES",
}

// prefixes are written in place of the prefix of a setting.
var prefixes = []string{"auth", "mcp", "store", "entra", "azure", "oauth"}

// longestName bounds a name that is compared.
const longestName = 80

// nearest returns the setting that a name resembles most, or "". A restriction wins among equals,
// because its loss is worse.
func nearest(written string) string {
	if len(written) > longestName {
		return ""
	}
	words := wordsOf(written)
	if len(words) == 0 || slices.Contains([]string{"oauth2", "auth0"}, words[0]) {
		return ""
	}
	best := ""
	least := 3
	for _, key := range append(slices.Clone(restrictions), keys...) {
		if difference := differ(words, wordsOf(key)); difference < least {
			best = key
			least = difference
		}
	}
	return best
}

// differ counts the letters in which a name differs from a setting's. 3 and more means another
// name.
func differ(words, meant []string) int {
	const another = 3
	if slices.Equal(slices.Sorted(slices.Values(words)), slices.Sorted(slices.Values(meant))) {
		return 0
	}
	whole := strings.Join(words, "")
	letters := distance(whole, strings.Join(meant, ""))
	if len(whole) < len("authclientid") {
		letters *= 2 // short names resemble too many others
	}
	if letters < another {
		return letters
	}
	stem := strings.Join(meant[1:], "")
	for _, prefix := range append([]string{""}, prefixes...) {
		rest, found := strings.CutPrefix(whole, prefix)
		isLong := len(stem) >= len("clientid") && (prefix != "" || len(stem) > len("clientsecret"))
		if found && isLong && distance(rest, stem) <= 1 {
			return 1 // another prefix
		}
	}
	for i := range words {
		rest := slices.Delete(slices.Clone(words), i, i+1)
		if len(meant) > 2 && slices.Equal(rest, meant) {
			return 2 // one word more
		}
	}
	for i := range meant {
		rest := slices.Delete(slices.Clone(meant), i, i+1)
		if i > 0 && len(words) > 1 && slices.Equal(rest, words) && len(stem) > len("url") {
			return 2 // one word less
		}
	}
	return another
}

// wordsOf returns the words of a name in lower case, and in the singular.
func wordsOf(text string) []string {
	words := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return strings.ContainsRune("_-. ", r) })
	for i, word := range words {
		if singular, found := strings.CutSuffix(word, "ies"); found && len(word) > 4 {
			words[i] = singular + "y"
		} else if len(word) > 2 {
			words[i] = strings.TrimSuffix(word, "s")
		}
	}
	return words
}

// distance counts the letters to add, remove or change, or to swap with the next.
func distance(from, to string) int {
	a := []rune(from)
	b := []rune(to)
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			change := rows[i-1][j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			rows[i][j] = min(change, rows[i-1][j]+1, rows[i][j-1]+1)
			isSwap := i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1]
			if isSwap {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
