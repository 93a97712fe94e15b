package main

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
)

// restrictions are the settings that accept only the listed callers, scopes, origins, hosts or
// proxies. The server does not start if one is empty or its name is misspelt, because it would
// restrict nothing.
var restrictions = []string{
	"AUTH_ALLOWED_CLIENTS", "AUTH_ALLOWED_TENANTS", "AUTH_APP_ROLES", "AUTH_CONFIDENTIAL_CLIENTS", "AUTH_SCOPES",
	"AUTH_CLIENT_DOCUMENTS", "AUTH_REGISTRATION", "AUTH_REGISTRATION_REDIRECTS", "AUTH_PRIVATE_USE_REDIRECTS",
	"MCP_ALLOWED_ORIGINS", "MCP_TRUSTED_PROXIES",
}

// clientKeys are settings of mcp-entra-client, which may share the file or the environment.
var clientKeys = []string{
	"MCP_URL", "MCP_ACCOUNT", "MCP_CLIENT_ID", "MCP_CLIENT_SECRET", "MCP_CLIENT_SECRET_FILE", "MCP_CLIENT_KEY_FILE",
	"MCP_CLIENT_ISSUER", "MCP_CLIENT_METADATA_URL", "MCP_REDIRECT_URI", "MCP_ID_TOKEN", "MCP_ID_TOKEN_FILE",
	"MCP_IDP_CLIENT_SECRET", "MCP_TOKEN", "MCP_TOKEN_STORE",
}

// openByDefault are the restrictions whose absence accepts more callers.
var openByDefault = []string{"AUTH_ALLOWED_CLIENTS", "AUTH_CONFIDENTIAL_CLIENTS"}

// checkName refuses a name that resembles a restriction's. Other software has variables such as
// ALLOWED_ORIGINS. So a name without our prefixes in the environment stops the start only in direct
// mode, and only if it resembles a restriction in openByDefault that is not set.
func (v *values) checkName(name, origin string) error {
	if slices.Contains(keys, name) || slices.Contains(clientKeys, name) {
		return nil
	}
	for _, key := range restrictions {
		misspelt := isTypo(name, key) || isRenamed(name, key)
		if misspelt && origin == environment && isBare(name, key) {
			_, given := v.set[key]
			misspelt = !given && v.get("AUTH_MODE") == "direct" && slices.Contains(openByDefault, key)
		}
		if misspelt || slices.Contains(openByDefault, key) && isExtended(name, key) {
			return fmt.Errorf("%s: %s is not a setting, and %s is: a misspelt restriction would restrict nothing; "+
				"correct the name or remove it", origin, name, key)
		}
	}
	return nil
}

// reportName warns of a name without effect: a name in the file that begins like a setting, and any
// name that resembles a setting. It ignores a variable of other software that only resembles a
// setting with a value.
func (v *values) reportName(name, origin string, logger *slog.Logger) {
	if slices.Contains(keys, name) || slices.Contains(clientKeys, name) {
		return
	}
	guess := nearest(name)
	_, given := v.set[guess]
	inFile := origin != environment
	switch {
	case inFile && strings.ContainsAny(name, "_") && slices.Contains([]string{"AUTH", "MCP", "STORE"}, firstWord(name)):
	case guess == "" || !inFile && given && !isTypo(name, guess):
		return
	}
	logger.Warn("this name is not a setting, so it has no effect", "key", name, "at", origin, "did_you_mean", guess)
}

func firstWord(name string) string {
	word, _, _ := strings.Cut(name, "_")
	return word
}

// nearest returns the setting that a misspelt name most likely means, or "".
func nearest(name string) string {
	for _, resembles := range []func(name, key string) bool{isTypo, isRenamed, isExtended, isShortened} {
		for _, key := range keys {
			if resembles(name, key) {
				return key
			}
		}
	}
	return ""
}

// isTypo reports whether a name differs from a setting's in case, separators, singular and plural,
// the order of words, or a letter or two too many, too few, wrong or swapped.
func isTypo(name, key string) bool {
	said, meant := alignedWords(name, key)
	if len(said) == 0 || slices.Contains(foreign, said[0]) {
		return false
	}
	whole := strings.Join(said, "")
	own := strings.Join(meant, "")
	return distance(whole, own) <= allowance(own) || sameWords(said, meant)
}

// foreign are prefixes of well-known software that resemble ours.
var foreign = []string{"oauth", "oauth2", "auth0"}

// prefixes are the prefixes that people write in place of a setting's own.
var prefixes = []string{"auth", "mcp", "store", "entra", "azure", "oauth", "mcpauth", "mcpentra", "mcpserver",
	"entraauth"}

// isRenamed reports whether a name is a setting's name with another prefix, or without a prefix if
// it is long enough to be unique.
func isRenamed(name, key string) bool {
	said, meant := alignedWords(name, key)
	if len(said) == 0 || said[0] == "auth0" || said[0] == "oauth2" {
		return false
	}
	whole := strings.Join(said, "")
	stem := strings.Join(meant[1:], "")
	if len(stem) < len("clientid") {
		// Many programs use SCOPES alone, and URL with any prefix.
		return len(stem) >= len("scope") && (whole == "mcp"+stem || whole == "auth"+stem)
	}
	if len(stem) > len("clientsecret") && (distance(whole, stem) <= 1 || sameWords(said, meant[1:])) {
		return true
	}
	for _, prefix := range prefixes {
		rest, found := strings.CutPrefix(whole, prefix)
		if found && distance(rest, stem) <= allowance(stem) {
			return true
		}
	}
	return len(said) > 1 && slices.Contains(prefixes, said[0]) && sameWords(said[1:], meant[1:])
}

// isBare reports whether a name is a setting's name without its prefix.
func isBare(name, key string) bool {
	said, meant := alignedWords(name, key)
	whole := strings.Join(said, "")
	stem := strings.Join(meant[1:], "")
	return distance(whole, stem) <= 1 || sameWords(said, meant[1:])
}

// isExtended reports whether a name is a setting's name with one more word, such as
// AUTH_ALLOWED_CLIENTS_LIST, or without its last word, if the rest is long enough to be unique.
func isExtended(name, key string) bool {
	said, meant := alignedWords(name, key)
	if len(said) < 2 || said[0] != meant[0] {
		return false
	}
	if slices.Equal(said, meant[:len(meant)-1]) {
		return len(said[len(said)-1]) >= len("confidential")
	}
	for i := range said {
		if sameWords(slices.Delete(slices.Clone(said), i, i+1), meant) {
			return true
		}
	}
	return false
}

// isShortened reports whether a name is a setting's name without one word: AUTH_SECRET for
// AUTH_CLIENT_SECRET.
func isShortened(name, key string) bool {
	said, meant := alignedWords(name, key)
	if len(said) < 2 || len(said) != len(meant)-1 || said[0] != meant[0] {
		return false
	}
	last := said[len(said)-1]
	lastMeant := meant[len(meant)-1]
	if lastMeant == "id" {
		return slices.Equal(said, meant[:len(meant)-1])
	}
	return last == lastMeant && last != "url" // many settings are URLs
}

func sameWords(some, others []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(some)), slices.Sorted(slices.Values(others)))
}

// allowance returns how many letters of a text may be wrong. Short texts resemble too many others.
func allowance(text string) int {
	if len(text) < 11 {
		return 1
	}
	return 2
}

// maxName is the length of the longest compared name, in bytes.
const maxName = 80

// alignedWords returns the words of a name and of a setting. It reads CLIENT_IDS as CLIENTS if the
// setting's name has CLIENTS.
func alignedWords(name, key string) (said, meant []string) {
	if len(name) > maxName {
		return nil, nil
	}
	said = words(name)
	meant = words(key)
	if last := len(said) - 1; last > 0 && said[last] == "id" && meant[len(meant)-1] != "id" {
		said = said[:last]
	}
	return said, meant
}

// words returns the words of a name in lower case and in the singular.
func words(name string) []string {
	all := strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return strings.ContainsRune("_-. ", r) })
	for i, word := range all {
		switch {
		case strings.HasSuffix(word, "ies") && len(word) > 4:
			all[i] = strings.TrimSuffix(word, "ies") + "y"
		case strings.HasSuffix(word, "s") && len(word) > 2:
			all[i] = strings.TrimSuffix(word, "s")
		}
	}
	return all
}

// distance counts the letters to add, remove, change or swap with the next (optimal string
// alignment).
func distance(from, to string) int {
	a := []rune(from)
	b := []rune(to)
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range b {
		rows[0][j+1] = j + 1
	}
	for i := range a {
		for j := range b {
			change := rows[i][j]
			if a[i] != b[j] {
				change++
			}
			least := min(change, rows[i][j+1]+1, rows[i+1][j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				least = min(least, rows[i-1][j-1]+1)
			}
			rows[i+1][j+1] = least
		}
	}
	return rows[len(a)][len(b)]
}
