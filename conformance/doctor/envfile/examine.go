package envfile

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"mcpentra/conformance/doctor"
	"mcpentra/conformance/internal/exchange"
)

// mostLines bounds the lines of one kind that a report shows.
const mostLines = 20

// defaultPatience is the wait for one answer.
const defaultPatience = 10 * time.Second

// A Config says which file to examine, and how.
type Config struct {
	// File is the settings file. Relative paths in it begin at its folder.
	File string
	// Environ are the variables of the environment, NAME=value, which win over the file when the
	// server runs. Examine only names them.
	Environ []string
	// HTTPClient sends the requests to Entra and Graph. Nil means a client that also trusts the
	// authorities in AUTH_CA_FILE. No redirect is followed.
	HTTPClient *http.Client
	// Dial connects to the store. Nil means the network.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Patience bounds the wait for one answer. Zero means 10 s.
	Patience time.Duration
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
	// Progress is called with the title of each step before it runs. Nil means no call.
	Progress func(title string)
}

// An exam is one examination. Its steps fill it from top to bottom.
type exam struct {
	config  Config
	report  *doctor.Report
	step    *doctor.Step
	client  *http.Client
	secrets exchange.Secrets

	set    map[string]setting
	wrong  map[string]bool // settings with a fault
	roots  *x509.CertPool  // of AUTH_CA_FILE
	tenant *tenantDocument // nil until Entra has answered
}

// steps are the steps of an examination, in order. A step returns false if the next ones make no
// sense.
var steps = []struct {
	name, title string
	run         func(e *exam, ctx context.Context) bool
}{
	{"file", "Read the file", (*exam).readSettings},
	{"settings", "Check each setting", (*exam).checkSettings},
	{"files", "Check the files that settings name", (*exam).checkFiles},
	{"store", "Look at the store", (*exam).checkStore},
	{"tenant", "Ask Entra for the tenant", (*exam).checkTenant},
	{"sign-in", "Ask Entra for a sign-in page", (*exam).checkSignIn},
	{"credential", "Try the credential", (*exam).checkCredential},
	{"api", "Ask for a token of the API", (*exam).checkAPI},
	{"graph", "Reach Microsoft Graph", (*exam).checkGraph},
}

// Examine examines a settings file. It returns an error if the file does not exist, or if the
// context ends.
func Examine(ctx context.Context, config Config) (*doctor.Report, error) {
	if config.Patience <= 0 {
		config.Patience = defaultPatience
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Dial == nil {
		config.Dial = (&net.Dialer{}).DialContext
	}
	info, err := os.Stat(config.File)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("the settings file %s does not exist: copy .env.example, or run "+
			"fakeentra --write-env %[1]s",
			config.File)
	case err != nil:
		return nil, fmt.Errorf("the settings file cannot be read: %w", err)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("want a settings file, but %s is a folder or a device", config.File)
	}
	e := &exam{
		config: config,
		report: doctor.NewReport(config.File),
		set:    map[string]setting{},
		wrong:  map[string]bool{},
	}
	for _, next := range steps {
		if config.Progress != nil {
			config.Progress(next.title)
		}
		step := doctor.Step{Name: next.name, Title: next.title, Findings: []doctor.Finding{}}
		e.step = &step
		goesOn := next.run(e, ctx)
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("the examination was stopped: %w", err)
		}
		if len(step.Did)+len(step.Findings) > 0 {
			e.report.Steps = append(e.report.Steps, step)
		}
		if !goesOn {
			break
		}
	}
	return e.report, nil
}

// did adds a line about what a step tried.
func (e *exam) did(format string, values ...any) {
	e.step.Did = append(e.step.Did, e.secrets.Mask(fmt.Sprintf(format, values...)))
}

// add adds a finding to the step. No text of it has a secret.
func (e *exam) add(finding doctor.Finding) {
	finding.Seen = e.secrets.Mask(finding.Seen)
	finding.Why = e.secrets.Mask(finding.Why)
	finding.Fixes = slices.Clone(finding.Fixes)
	for i := range finding.Fixes {
		finding.Fixes[i].Where = e.secrets.Mask(finding.Fixes[i].Where)
		finding.Fixes[i].Text = e.secrets.Mask(finding.Fixes[i].Text)
	}
	if finding.Kind != doctor.Fine {
		finding.Effects = []doctor.Effect{}
	}
	e.step.Add(finding)
}

// fault adds a finding about a setting that keeps the server from working.
func (e *exam) fault(key, code, seen, why string, fixes ...doctor.Fix) {
	e.wrong[key] = true
	e.add(doctor.Finding{Code: code, Kind: doctor.Fault, Seen: seen, Why: why, Fixes: fixes})
}

// warn adds a finding that keeps nothing from working now.
func (e *exam) warn(code, seen, why string, fixes ...doctor.Fix) {
	e.add(doctor.Finding{Code: code, Kind: doctor.Warning, Seen: seen, Why: why, Fixes: fixes})
}

// fine adds a finding without a change, if the step has no other one.
func (e *exam) fine(code, seen string) {
	if len(e.step.Findings) == 0 {
		e.add(doctor.Finding{Code: code, Kind: doctor.Fine, Seen: seen})
	}
}

// get returns the value of a setting, or "".
func (e *exam) get(key string) string { return e.set[key].value }

// at names a setting with its line.
func (e *exam) at(key string) string {
	if found, present := e.set[key]; present {
		return fmt.Sprintf("%s (line %d)", key, found.line)
	}
	return key
}

// write is the fix that writes a setting.
func (e *exam) write(key, value string) doctor.Fix { return e.line(key, key+"="+value) }

// remove is the fix that removes a setting.
func (e *exam) remove(key string) doctor.Fix { return e.line(key, "remove the line "+key+"=…") }

// line is a fix of the line of a setting.
func (e *exam) line(key, text string) doctor.Fix {
	where := filepath.Base(e.config.File)
	if found, present := e.set[key]; present {
		where += fmt.Sprintf(", line %d", found.line)
	}
	return doctor.Fix{Place: doctor.ServerSetting, Where: where, Text: text}
}

// portal is the fix on a page of the registration.
func (e *exam) portal(page, text string) doctor.Fix {
	return doctor.Fix{
		Place: doctor.PortalPage,
		Where: "Entra admin center > App registrations > " + e.registration() + " > " + page,
		Text:  text,
	}
}

// registration names the registration. The search of the portal takes the client ID.
func (e *exam) registration() string {
	if id := e.get("AUTH_CLIENT_ID"); isGUID(id) {
		return strings.ToLower(id)
	}
	return "your app"
}

// isDirect reports whether the server only checks Entra's tokens.
func (e *exam) isDirect() bool { return e.get("AUTH_MODE") == "direct" }

// readSettings reads the lines of the file, and looks at the file itself.
func (e *exam) readSettings(context.Context) bool {
	text, err := readFile(e.config.File)
	if err != nil {
		e.fault("", "file-unreadable", fmt.Sprintf("the file cannot be read: %v", cause(err)),
			"The server cannot read it either.", e.line("",
				"name a file of at most 1 MiB that the server's user can read"))
		return false
	}
	if !isText(text) {
		e.fault("", "file-not-utf8", "the file is not UTF-8 text",
			"Windows programs write UTF-16, which the server refuses.",
			e.line("", "save the file as UTF-8"))
		return false
	}
	settings, wrong := parse(text)
	first := map[string]int{}
	for _, next := range settings {
		before := first[next.key]
		isTwice := before > 0 && slices.Contains(keys, next.key)
		if isTwice && len(e.step.Findings) < mostLines {
			e.warn("setting-twice", fmt.Sprintf("%s is in lines %d and %d", next.key, before, next.line),
				"The last line counts.", e.line("", fmt.Sprintf("remove line %d or %d", before, next.line)))
		}
		first[next.key] = next.line
		e.set[next.key] = next
		if isSecret(next.key) {
			e.secrets.Add(next.value)
		}
	}
	e.did("%d settings", len(e.set))
	for _, line := range wrong[:min(mostLines, len(wrong))] {
		e.unreadable(line)
	}
	if len(wrong) > mostLines {
		e.did("%d more lines cannot be read", len(wrong)-mostLines)
	}
	e.checkMode(text)
	e.checkNames(settings)
	e.checkEnvironment()
	e.fine("file-read", "every line can be read, and every name is a setting")
	return true
}

// isSecret reports whether the value of a setting is secret, or may have a part that is.
func isSecret(key string) bool {
	isSecretName := strings.Contains(key, "SECRET") || strings.Contains(key, "PASSWORD") ||
		strings.Contains(key, "TOKEN")
	return isSecretName && !strings.HasSuffix(key, "_FILE") && key != "AUTH_TOKEN_VERSION"
}

// unreadable reports a line that the server refuses.
func (e *exam) unreadable(line lineError) {
	subject := "the line"
	if line.key != "" {
		subject = line.key
	}
	e.fault(line.key, "line-unreadable", fmt.Sprintf("line %d: %s %s", line.line, subject, line.problem),
		"The server does not start with this line.",
		doctor.Fix{
			Place: doctor.ServerSetting,
			Where: fmt.Sprintf("%s, line %d", filepath.Base(e.config.File), line.line),
			Text:  "KEY='VALUE', on one line, in UTF-8",
		})
}

// checkMode looks at the permissions and the encoding of the file.
func (e *exam) checkMode(text []byte) {
	info, err := os.Stat(e.config.File)
	hasSecret := e.get("AUTH_CLIENT_SECRET") != "" || strings.Contains(e.get("STORE_URL"), "@")
	if err == nil && hasSecret && isOpen(info, 0o077) {
		e.warn("secrets-readable", fmt.Sprintf("other users can read the file (mode %04o)", info.Mode().Perm()),
			"It holds a secret.", e.line("", "chmod 600 "+filepath.Base(e.config.File)))
	}
	if strings.HasPrefix(string(text), string(byteOrderMark)) {
		e.warn("byte-order-mark", "the file begins with a byte order mark",
			"The server skips it. Docker and systemd take it as part of the first name.",
			e.line("", "save the file as UTF-8 without BOM"))
	}
}

// isOpen reports whether other users have one of the permissions.
func isOpen(info fs.FileInfo, permissions fs.FileMode) bool {
	return runtime.GOOS != "windows" && info.Mode().Perm()&permissions != 0
}

// checkNames looks for names that are no settings.
func (e *exam) checkNames(settings []setting) {
	for _, next := range settings {
		if len(e.step.Findings) >= 3*mostLines {
			e.did("more names were not checked")
			return
		}
		if slices.Contains(keys, next.key) || slices.Contains(clientKeys, next.key) {
			continue
		}
		meant := nearest(next.key)
		word, _, hasUnderscore := strings.Cut(next.key, "_")
		isOurs := hasUnderscore && slices.Contains([]string{"AUTH", "MCP", "STORE"}, word) &&
			len(next.key) <= longestName
		seen := fmt.Sprintf("%s is not a setting", e.at(next.key))
		switch {
		case meant != "" && slices.Contains(restrictions, meant):
			e.fault(meant, "misspelt-restriction", seen+", and "+meant+" is",
				"The server does not start, because a misspelt restriction would restrict nothing.",
				e.line(next.key, meant+"=…"))
		case meant != "":
			e.warn("unknown-name", seen, "It has no effect.", e.line(next.key, meant+"=…"))
		case isOurs:
			e.warn("unknown-name", seen, "It has no effect.", e.remove(next.key))
		}
	}
}

// checkEnvironment names the variables of the environment that win over the file.
func (e *exam) checkEnvironment() {
	var names []string
	for _, variable := range e.config.Environ {
		name, value, _ := strings.Cut(variable, "=")
		if slices.Contains(keys, name) {
			names = append(names, name)
			if isSecret(name) {
				e.secrets.Add(value)
			}
		}
	}
	if len(names) == 0 {
		return
	}
	slices.Sort(names)
	e.warn("environment-wins", "the environment has "+strings.Join(names, ", "),
		"A server that starts with this environment takes these values, and not the ones of the file.",
		doctor.Fix{
			Place: doctor.ServerSetting,
			Where: "the environment",
			Text:  "unset " + strings.Join(names, " "),
		})
}
