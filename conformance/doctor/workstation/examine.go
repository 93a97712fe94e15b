package workstation

import (
	"context"
	"fmt"
	"net/url"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"time"

	"mcpentra/conformance/doctor"
)

// program is the client whose way is followed.
const program = "mcp-entra-client"

// A Config describes the machine, and the server to walk to.
type Config struct {
	// URL is the MCP endpoint. Empty means the setting MCP_URL.
	URL string
	// Environ has the environment as KEY=VALUE texts. Nil means an empty environment.
	Environ []string
	// OS is the operating system, by Go's name. Empty means the one that runs.
	OS string
	// Root is the root of the file system, where /proc is. Empty means /.
	Root string
	// WorkingFolder is where the client would start. Empty means that no .env is looked for.
	WorkingFolder string
	// LookPath finds a program. Nil means exec.LookPath.
	LookPath func(program string) (string, error)
	// LookupHost resolves a name. Nil means the system's resolver.
	LookupHost func(ctx context.Context, host string) ([]string, error)
	// UserID is the user that runs the client. Zero and less mean that owners are not compared.
	UserID int
	// Walk is for the walk to the server. Its URL is ignored, and no client is registered.
	Walk doctor.Config
}

// A machine is the machine under examination. Its steps only read.
type machine struct {
	config Config
	env    map[string]string
	typed  string // the URL as the person typed it
	// canLeave says that the proxy, if there is one, connects.
	canLeave bool
	// keyInKeychain says that the keychain holds the client's encryption key.
	keyInKeychain bool
}

// steps are the steps before the walk, in order.
var steps = []struct {
	name, title string
	run         func(m *machine, ctx context.Context, step *doctor.Step)
}{
	{"client-settings", "Read the client's settings", (*machine).settings},
	{"client-browser", "Find a browser", (*machine).browser},
	{"client-callback", "Listen for the answer of the sign-in", (*machine).callback},
	{"client-keychain", "Ask the keychain", (*machine).keychain},
	{"client-tokens", "Look at the stored tokens", (*machine).tokens},
	{"client-proxy", "Find the way out", (*machine).proxies},
	{"client-clock", "Compare the clocks", (*machine).clock},
}

// Examine examines the machine, and walks to the server. It returns an error only if the context
// ends, or if there is no URL.
func Examine(ctx context.Context, config Config) (*doctor.Report, error) {
	m := newMachine(config)
	if m.config.URL == "" {
		return nil, fmt.Errorf("want the URL of an MCP server as an argument or in MCP_URL, got neither")
	}
	local := []doctor.Step{}
	for _, next := range steps {
		if m.config.Walk.Progress != nil {
			m.config.Walk.Progress(next.title)
		}
		step := doctor.Step{Name: next.name, Title: next.title, Findings: []doctor.Finding{}}
		next.run(m, ctx, &step)
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("doctor: the examination was stopped: %w", err)
		}
		local = append(local, step)
	}
	report := doctor.NewReport("")
	report.Answers = false
	if m.canLeave {
		walked, err := doctor.Walk(ctx, m.walkConfig())
		if err != nil {
			return nil, err
		}
		report = walked
	}
	report.Subject = doctor.ShownAddress(m.config.URL)
	report.Steps = append(local, report.Steps...)
	return report, nil
}

func newMachine(config Config) *machine {
	m := &machine{config: config, env: map[string]string{}, canLeave: true}
	for _, entry := range config.Environ {
		if key, value, found := strings.Cut(entry, "="); found && key != "" {
			m.env[key] = value
		}
	}
	if m.config.OS == "" {
		m.config.OS = runtime.GOOS
	}
	if m.config.Root == "" {
		m.config.Root = "/"
	}
	if m.config.LookPath == nil {
		m.config.LookPath = exec.LookPath
	}
	if m.config.Walk.Now == nil {
		m.config.Walk.Now = time.Now
	}
	if m.config.Walk.Patience <= 0 {
		m.config.Walk.Patience = 10 * time.Second
	}
	if m.config.URL == "" {
		m.config.URL = m.env["MCP_URL"]
	}
	m.typed = m.config.URL
	m.config.URL = withScheme(m.config.URL)
	return m
}

// barePort matches the beginning of an address that is a port of this machine.
var barePort = regexp.MustCompile(`^:?[0-9]{2,5}(/|$)`)

// withScheme adds a missing scheme as the client does: http on this machine, https elsewhere.
func withScheme(address string) string {
	if strings.Contains(address, "://") {
		return address
	}
	if barePort.MatchString(address) {
		address = "localhost:" + strings.TrimPrefix(address, ":")
	}
	parsed, err := url.Parse("//" + address)
	switch {
	case err != nil:
		return address
	case isLoopback(parsed.Hostname()):
		return "http://" + address
	case strings.Contains(strings.Trim(parsed.Hostname(), "."), "."):
		return "https://" + address
	}
	return address
}

func (m *machine) walkConfig() doctor.Config {
	walk := m.config.Walk
	walk.URL = m.config.URL
	walk.NoRegistration = true
	if walk.ClientID == "" {
		walk.ClientID = m.env["MCP_CLIENT_ID"]
	}
	if walk.RedirectURI == "" {
		walk.RedirectURI = m.env["MCP_REDIRECT_URI"]
	}
	walk.Dial = m.dial
	return walk
}

// add adds a finding to a step.
func did(step *doctor.Step, format string, values ...any) {
	step.Did = append(step.Did, fmt.Sprintf(format, values...))
}

// fine adds a finding that needs no change, if the step has no other.
func fine(step *doctor.Step, code, seen string) {
	if len(step.Findings) == 0 {
		step.Add(doctor.Finding{Code: code, Kind: doctor.Fine, Seen: seen})
	}
}

// stops is the effect of a fault at which the client ends.
func stops(how string) []doctor.Effect { return []doctor.Effect{{Client: program, How: how}} }

// change is a fix on this machine.
func change(where, text string) doctor.Fix {
	return doctor.Fix{Place: doctor.ClientSetting, Where: where, Text: text}
}

// environment is where most settings are.
const environment = "environment of mcp-entra-client"
