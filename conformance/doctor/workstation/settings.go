package workstation

import (
	"context"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"mcpentra/conformance/doctor"
)

// keys are the client's settings.
var keys = []string{
	"MCP_URL", "MCP_ACCOUNT", "MCP_CLIENT_ID", "MCP_CLIENT_SECRET", "MCP_CLIENT_SECRET_FILE", "MCP_CLIENT_KEY_FILE",
	"MCP_CLIENT_ISSUER", "MCP_CLIENT_METADATA_URL", "MCP_REDIRECT_URI", "MCP_TOKEN", "MCP_ID_TOKEN",
	"MCP_ID_TOKEN_FILE", "MCP_IDP_CLIENT_SECRET", "MCP_TOKEN_STORE", "BROWSER",
}

// otherNames are names that people use for a setting, and that differ from it by more than a slip.
var otherNames = map[string]string{
	"MCP_SERVER":       "MCP_URL",
	"MCP_SERVER_URL":   "MCP_URL",
	"MCP_ENDPOINT":     "MCP_URL",
	"MCP_SECRET":       "MCP_CLIENT_SECRET",
	"MCP_CALLBACK_URL": "MCP_REDIRECT_URI",
	"MCP_ACCESS_TOKEN": "MCP_TOKEN",
}

func (m *machine) settings(_ context.Context, step *doctor.Step) {
	var set []string
	for _, key := range keys {
		if m.env[key] != "" {
			set = append(set, key)
		}
	}
	did(step, "settings in the environment: %s", listed(set))
	if m.typed != m.config.URL {
		did(step, "%s is read as %s", doctor.ShownAddress(m.typed), doctor.ShownAddress(m.config.URL))
	}
	if named := m.env["MCP_URL"]; named != "" && named != m.typed {
		did(step, "the address on the command line is used, and not MCP_URL")
	}
	m.misspelt(step)
	m.quoted(step)
	m.serverKeys(step)
	m.unreadFile(step)
	m.serverURL(step)
	m.credentials(step)
	fine(step, "settings-read", "the client can use these settings")
}

func listed(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// misspelt finds variables with nearly the name of a setting.
func (m *machine) misspelt(step *doctor.Step) {
	for _, name := range sortedKeys(m.env) {
		meant := meantKey(name)
		if meant == "" || m.env[meant] != "" {
			continue
		}
		step.Add(doctor.Finding{
			Code:    "setting-misspelt",
			Kind:    doctor.Warning,
			Seen:    fmt.Sprintf("the environment sets %s, and the client reads %s", name, meant),
			Why:     "The client ignores names that it does not know.",
			Effects: stops("it works as if the value were missing"),
			Fixes:   []doctor.Fix{change(environment, "rename "+name+" to "+meant)},
		})
	}
}

func sortedKeys(env map[string]string) []string {
	names := make([]string, 0, len(env))
	for name := range env {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// meantKey returns the setting that a misspelt name means, or "".
func meantKey(name string) string {
	if slices.Contains(keys, name) || len(name) > 40 {
		return ""
	}
	upper := strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
	if slices.Contains(keys, upper) && upper != "BROWSER" {
		return upper
	}
	rest, found := strings.CutPrefix(upper, "MCP_")
	if !found {
		return ""
	}
	if meant := otherNames[upper]; meant != "" {
		return meant
	}
	for _, key := range keys {
		known, found := strings.CutPrefix(key, "MCP_")
		most := 2
		if len(known) <= 5 {
			most = 1
		}
		if found && distance(rest, known) <= most {
			return key
		}
	}
	return ""
}

// distance returns the number of characters to insert, delete or replace (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			above := row[j+1]
			row[j+1] = min(above+1, row[j]+1, diagonal+cost)
			diagonal = above
		}
	}
	return row[len(b)]
}

// quoted finds values with characters that were not meant.
func (m *machine) quoted(step *doctor.Step) {
	for _, key := range keys {
		value := m.env[key]
		if value == "" || key == "BROWSER" {
			continue
		}
		isQuoted := len(value) > 1 && value[0] == value[len(value)-1] && (value[0] == '"' || value[0] == '\'')
		if !isQuoted && strings.TrimSpace(value) == value {
			continue
		}
		step.Add(doctor.Finding{
			Code:    "setting-quoted",
			Kind:    doctor.Warning,
			Seen:    fmt.Sprintf("the value of %s has quotes or blanks around it", key),
			Why:     "The client takes a value as it is. A shell removes quotes, and a file of variables may not.",
			Effects: stops("it sends the quotes or blanks, too"),
			Fixes:   []doctor.Fix{change(environment, "set "+key+" without them")},
		})
	}
}

// serverKeys notes the settings of the server, which the client does not read.
func (m *machine) serverKeys(step *doctor.Step) {
	var ignored []string
	for _, name := range sortedKeys(m.env) {
		if strings.HasPrefix(name, "AUTH_") {
			ignored = append(ignored, name)
		}
	}
	if len(ignored) == 0 {
		return
	}
	did(step, "ignored, because AUTH_ keys are a server's: %s", listed(ignored[:min(len(ignored), 8)]))
	if m.env["AUTH_CLIENT_ID"] != "" && m.env["MCP_CLIENT_ID"] == "" {
		step.Add(doctor.Finding{
			Code:    "server-keys-ignored",
			Kind:    doctor.Warning,
			Seen:    "the environment sets AUTH_CLIENT_ID, and not MCP_CLIENT_ID",
			Why:     "AUTH_ keys are a server's. The client ignores them, so that no server's secret reaches a server.",
			Effects: stops("it registers itself, or has no client ID"),
			Fixes:   []doctor.Fix{change(environment, "to give the client an ID of its own, set MCP_CLIENT_ID")},
		})
	}
}

// maxFile bounds how much of a file is read, in bytes.
const maxFile = 64 << 10

// unreadFile finds a .env that the client does not read by itself.
func (m *machine) unreadFile(step *doctor.Step) {
	if m.config.WorkingFolder == "" {
		return
	}
	text, err := readRegular(filepath.Join(m.config.WorkingFolder, ".env"), maxFile)
	if err != nil {
		return
	}
	var found []string
	for line := range strings.Lines(string(text)) {
		line = strings.TrimPrefix(strings.TrimSpace(strings.TrimPrefix(line, "\ufeff")), "export ")
		name, _, isSetting := strings.Cut(line, "=")
		name = strings.TrimSpace(name)
		if isSetting && slices.Contains(keys, name) && !slices.Contains(found, name) {
			found = append(found, name)
		}
	}
	if len(found) > 0 {
		step.Add(doctor.Finding{
			Code: "file-unread",
			Kind: doctor.Warning,
			Seen: "the file .env in this folder sets " + listed(found),
			Why: "The client reads a file only if --env names it. Settings run programs, and another person may own " +
				"the folder.",
			Effects: stops("it works as if the values were missing"),
			Fixes:   []doctor.Fix{change("command line", program+" --env .env")},
		})
	}
}

// serverURL checks the server's address as the client does.
func (m *machine) serverURL(step *doctor.Step) {
	wrong := wrongServerURL(m.config.URL)
	if wrong == "" {
		return
	}
	step.Add(doctor.Finding{
		Code:    "address-refused",
		Kind:    doctor.Fault,
		Seen:    "the client refuses the address: " + wrong,
		Why:     "A token must not travel where others can read it.",
		Effects: stops("it ends with status 2"),
		Fixes:   []doctor.Fix{change("command line", "give an https address, or http on this machine")},
	})
}

// wrongServerURL returns the mistake in the address of a server, or "".
func wrongServerURL(text string) string {
	parsed, err := url.Parse(text)
	if err != nil || parsed.Host == "" || parsed.Opaque != "" {
		return "it is not the URL of an MCP server"
	}
	scheme := strings.ToLower(parsed.Scheme)
	number, err := strconv.ParseUint(parsed.Port(), 10, 16)
	switch {
	case parsed.User != nil:
		return "it holds a user name or password"
	case parsed.Port() != "" && (err != nil || number == 0):
		return "its port is not a number from 1 to 65535"
	case scheme == "https":
		return ""
	case scheme != "http":
		return "it is neither https nor http"
	case !isLoopback(parsed.Hostname()):
		return "it is plain http to another machine"
	}
	return ""
}

// isLoopback reports whether a host is this machine by its name or address alone.
func isLoopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && address.Unmap().IsLoopback()
}

// credentials checks the settings that belong together.
func (m *machine) credentials(step *doctor.Step) {
	m.withoutClientID(step)
	hasSecret := m.env["MCP_CLIENT_SECRET"] != "" || m.env["MCP_CLIENT_SECRET_FILE"] != ""
	if hasSecret && m.env["MCP_CLIENT_KEY_FILE"] != "" {
		step.Add(doctor.Finding{
			Code:    "credentials-twice",
			Kind:    doctor.Fault,
			Seen:    "the environment gives a client secret and a client key",
			Why:     "The client proves who it is in one way.",
			Effects: stops("it ends with status 2"),
			Fixes:   []doctor.Fix{change(environment, "remove MCP_CLIENT_KEY_FILE or the secret")},
		})
	}
	for _, key := range []string{"MCP_CLIENT_SECRET_FILE", "MCP_CLIENT_KEY_FILE", "MCP_ID_TOKEN_FILE"} {
		if name := m.env[key]; name != "" && name != "-" {
			m.secretFile(step, key, m.absolute(name))
		}
	}
}

func (m *machine) absolute(name string) string {
	if filepath.IsAbs(name) || m.config.WorkingFolder == "" {
		return name
	}
	return filepath.Join(m.config.WorkingFolder, name)
}

func (m *machine) withoutClientID(step *doctor.Step) {
	if m.env["MCP_CLIENT_ID"] != "" {
		return
	}
	for _, key := range []string{
		"MCP_CLIENT_SECRET", "MCP_CLIENT_SECRET_FILE", "MCP_CLIENT_KEY_FILE", "MCP_CLIENT_ISSUER",
	} {
		if m.env[key] == "" {
			continue
		}
		step.Add(doctor.Finding{
			Code:    "client-id-missing",
			Kind:    doctor.Fault,
			Seen:    "the environment sets " + key + ", and not MCP_CLIENT_ID",
			Why:     "The setting belongs to the client ID that an authorization server gave you.",
			Effects: stops("it ends with status 2"),
			Fixes:   []doctor.Fix{change(environment, "set MCP_CLIENT_ID, or remove "+key)},
		})
	}
}

// secretFile checks that the client can read a file with a secret, and that others cannot.
func (m *machine) secretFile(step *doctor.Step, key, name string) {
	info, err := os.Stat(name)
	switch {
	case err != nil:
		step.Add(doctor.Finding{
			Code:    "secret-file-unreadable",
			Kind:    doctor.Fault,
			Seen:    fmt.Sprintf("%s names a file that cannot be read: %v", key, err),
			Why:     "The client reads the file before it does anything else.",
			Effects: stops("it ends with status 2"),
			Fixes:   []doctor.Fix{change(environment, "set "+key+" to the file's path")},
		})
	case m.hasModes() && info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0:
		step.Add(doctor.Finding{
			Code: "secret-file-shared",
			Kind: doctor.Warning,
			Seen: fmt.Sprintf("the file of %s has mode %04o", key, info.Mode().Perm()),
			Why:  "Other users of this machine can read the secret.",
			Fixes: []doctor.Fix{
				change("shell", "chmod 0600 "+shellWord(name)),
			},
		})
	}
}

// hasModes reports whether a file's mode decides who can read it.
func (m *machine) hasModes() bool { return m.config.OS != "windows" }

// shellWord quotes a word for a POSIX shell.
func shellWord(word string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:=-"
	if word != "" && strings.Trim(word, plain) == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
