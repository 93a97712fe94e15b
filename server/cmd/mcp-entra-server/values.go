package main

import (
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"mcpentra/server"
	"mcpentra/server/entra"
)

// A value is the text of a setting.
type value struct {
	text    string
	origin  string // the place that the text comes from, such as ".env, line 3"
	literal bool   // a dollar sign in it is part of it
}

// values are the settings as texts. Flags win over the environment, and the environment wins over
// the file.
type values struct {
	file string // name of the settings file, if there is one
	set  map[string]value
}

// readValues reads all settings. It refuses misspelt restrictions and values that mean nothing.
func readValues(flags flagValues, given func(flag string) bool, environ []string,
	logger *slog.Logger) (*values, error) {
	lines, err := readEnvFile(flags.envFile, given("env"))
	if err != nil {
		return nil, err
	}
	v := &values{set: map[string]value{}}
	if lines != nil {
		v.file = flags.envFile
	}
	for _, line := range lines {
		origin := fmt.Sprintf("%s, line %d", flags.envFile, line.number)
		if before, twice := v.set[line.key]; twice {
			logger.Warn("a setting is twice in the file, and the last one counts", "key", line.key,
				"first", before.origin, "last", origin)
		}
		v.set[line.key] = value{strings.TrimSpace(line.value), origin, line.literal}
	}
	for _, variable := range environ {
		name, text, _ := strings.Cut(variable, "=")
		if slices.Contains(keys, name) {
			// A dollar sign in a secret is part of it.
			v.set[name] = value{strings.TrimSpace(text), environment, name == "AUTH_CLIENT_SECRET"}
		}
	}
	for flag, into := range map[string]struct{ text, key string }{
		"addr":       {flags.address, "MCP_ADDR"},
		"public-url": {flags.publicURL, "MCP_PUBLIC_URL"},
		"store":      {flags.store, "STORE_URL"},
		"upstream":   {flags.upstream, "MCP_UPSTREAM"},
	} {
		if given(flag) {
			v.set[into.key] = value{text: into.text, origin: "--" + flag, literal: true}
		}
	}
	return v, v.checkAll(lines, environ, logger)
}

// checkAll checks the names and the values of all settings.
func (v *values) checkAll(lines []envLine, environ []string, logger *slog.Logger) error {
	origin := func(line envLine) string { return fmt.Sprintf("%s, line %d", v.file, line.number) }
	for _, line := range lines {
		if err := v.checkName(line.key, origin(line)); err != nil {
			return err
		}
	}
	for _, variable := range environ {
		name, _, _ := strings.Cut(variable, "=")
		if err := v.checkName(name, environment); err != nil {
			return err
		}
	}
	for _, line := range lines {
		v.reportName(line.key, origin(line), logger)
	}
	for _, variable := range environ {
		name, _, _ := strings.Cut(variable, "=")
		v.reportName(name, environment, logger)
	}
	return v.check()
}

// environment is the origin of values from the environment.
const environment = "environment"

// These match references to variables, as shells and Docker Compose write them.
var (
	reference       = regexp.MustCompile(`\$[({A-Za-z_]|\\\$`)
	secretReference = regexp.MustCompile(`\$[({]|\\\$|^\$[A-Z_]+$`)
)

// check refuses restrictions that restrict nothing, and references to variables, because the server
// replaces none.
func (v *values) check() error {
	for _, key := range keys {
		got, present := v.set[key]
		if !present {
			continue
		}
		pattern := reference
		if key == "AUTH_CLIENT_SECRET" {
			pattern = secretReference // other dollar signs are part of it
		}
		if !got.literal && pattern.MatchString(got.text) {
			return v.wrong(key, "names a variable with a dollar sign, and the server replaces none: write the "+
				"value itself, or put it into single quotes in the file if the dollar sign is part of it")
		}
		if slices.Contains(restrictions, key) && !strings.ContainsFunc(got.text, isWordRune) {
			return v.wrong(key, "is set but empty, so it would restrict nothing: write its value, or remove it")
		}
	}
	return nil
}

func isWordRune(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("*:", r)
}

// get returns the text of a setting, or "".
func (v *values) get(key string) string { return v.set[key].text }

// A settingError reports a setting that cannot work, and its origin.
type settingError struct {
	origin, key, problem string
}

func (e *settingError) Error() string {
	text := e.key + " " + e.problem
	if e.origin != "" {
		text = e.origin + ": " + text
	}
	return text
}

// wrong makes an error about a setting.
func (v *values) wrong(key, format string, arguments ...any) error {
	return &settingError{v.origin(key), key, fmt.Sprintf(format, arguments...)}
}

// origin returns the origin of a setting, or the file if the setting is missing.
func (v *values) origin(key string) string {
	if got, present := v.set[key]; present {
		return got.origin
	}
	return v.file
}

// fields maps the fields of server.Config to settings.
var fields = map[string]string{
	"PublicURL":       "MCP_PUBLIC_URL",
	"Path":            "MCP_PATH",
	"AllowedOrigins":  "MCP_ALLOWED_ORIGINS",
	"Upstream":        "MCP_UPSTREAM",
	"UpstreamHeaders": "MCP_UPSTREAM_HEADERS",
	"UpstreamQuery":   "MCP_UPSTREAM_QUERY",
	"LegacySSE":       "MCP_LEGACY_SSE",
	"Scopes":          "AUTH_SCOPES",
}

var settingName = regexp.MustCompile(`\b(AUTH|MCP|STORE)_[A-Z_]+\b`)

// explain adds the origin of the setting to an error that is about one.
func (v *values) explain(err error) error {
	var (
		explained *settingError
		field     *server.ConfigError
		entry     *entra.ConfigError
	)
	switch {
	case err == nil || errors.As(err, &explained):
		return err
	case errors.As(err, &field) && fields[field.Field] != "":
		return v.wrong(fields[field.Field], "%s", field.Problem)
	case errors.As(err, &entry):
		return v.wrong(entry.Key, "%s", entry.Problem)
	}
	problem := errors.New(strings.ReplaceAll(strings.TrimPrefix(err.Error(), "server: "), "broker: ", ""))
	for _, name := range settingName.FindAllString(problem.Error(), -1) {
		if got, present := v.set[name]; present && slices.Contains(keys, name) {
			return fmt.Errorf("%s: %w", got.origin, problem)
		}
	}
	return problem
}
