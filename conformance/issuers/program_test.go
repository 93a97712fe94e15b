package issuers_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/issuers/internal/broken"
	"mcpentra/conformance/loopback/loopbacktest"
	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
	"mcpentra/fakeentra/useragent"
	"mcpentra/server"
	"mcpentra/server/entra"
)

// TestMain runs the tests, or one of the programs that the tests start.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 {
		switch os.Args[1] {
		case "browse":
			browse(os.Args[2:])
			return
		case "broker":
			serveBroker(os.Args[2], os.Args[3])
			return
		}
	}
	os.Exit(runTests(m))
}

// programFolder is where the tests build the program.
var programFolder string

// runTests runs the tests, and removes the program.
func runTests(m *testing.M) int {
	var err error
	programFolder, err = os.MkdirTemp("", "mcp-auth-conformance")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(programFolder)
	return m.Run()
}

// Exit statuses of the program.
const (
	exitUsage   = 2
	exitRefused = 3
)

// buildProgram builds mcp-auth-conformance once, or takes the one that make test has built.
var buildProgram = sync.OnceValues(func() (string, error) {
	if built := os.Getenv("MCPENTRA_PROGRAMS"); built != "" {
		return filepath.Join(built, "mcp-auth-conformance"), nil
	}
	program := filepath.Join(programFolder, "mcp-auth-conformance")
	output, err := exec.Command("go", "build", "-o", program, "../cmd/mcp-auth-conformance").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, output)
	}
	return program, nil
})

// browse is a scripted browser for $BROWSER. Its arguments are NAME=VALUE for the fields of forms,
// "deny" or "leave", and the address. It ends with status 3 if the person declines or leaves.
func browse(arguments []string) {
	browser := &useragent.Browser{Fields: map[string]string{}}
	last := len(arguments) - 1
	for _, argument := range arguments[:last] {
		name, value, _ := strings.Cut(argument, "=")
		browser.Fields[name] = value
		if name == "leave" {
			os.Exit(exitRefused)
		}
	}
	if _, err := browser.Visit(context.Background(), arguments[last]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// brokerBehind returns a server in broker mode, whose people sign in at an authority. The
// configuration has its other settings.
func brokerBehind(origin, authority string, config server.Config) (http.Handler, error) {
	config.PublicURL = origin
	config.RegistrationsPerMinute = -1
	config.Entra = entra.Config{
		Authority:           authority,
		TenantID:            directory.DefaultTenantID,
		ClientID:            directory.DefaultClientID,
		ClientSecret:        directory.DefaultClientSecret,
		TrustPublicFakeKeys: true,
	}
	return server.New(context.Background(), config)
}

// serveBroker serves a broker on a port.
func serveBroker(authority, port string) {
	handler, err := brokerBehind("http://localhost:"+port, authority, server.Config{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	_ = http.ListenAndServe("localhost:"+port, handler)
}

// startBroker starts a broker in front of a fake Entra ID, and returns its origin.
func startBroker(t *testing.T) string {
	t.Helper()
	return startBrokerFor(t, server.Config{})
}

// startBrokerFor is startBroker with more settings.
func startBrokerFor(t *testing.T, config server.Config) string {
	t.Helper()
	fake := fakeentra.NewServer(fakeentra.Config{})
	t.Cleanup(fake.Close)
	listening := httptest.NewUnstartedServer(nil)
	origin := "http://" + strings.Replace(listening.Listener.Addr().String(), "127.0.0.1", "localhost", 1)
	handler, err := brokerBehind(origin, fake.URL, config)
	require.NoError(t, err)
	listening.Config.Handler = handler
	listening.Start()
	t.Cleanup(listening.Close)
	return origin
}

// startBase starts the authorization server without faults, and returns its issuer.
func startBase(t *testing.T) string {
	t.Helper()
	base := broken.Start()
	t.Cleanup(base.Close)
	return base.URL
}

// A run is a finished run of the program.
type run struct {
	status   int
	out, log string
}

// runIn runs the program with a browser, and returns its result.
func runIn(t *testing.T, browser string, arguments ...string) run {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	program, err := buildProgram()
	require.NoError(t, err)
	command := exec.CommandContext(ctx, program, arguments...)
	command.Env = append(os.Environ(), "BROWSER="+browser)
	var out, log bytes.Buffer
	command.Stdout = &out
	command.Stderr = &log
	err = command.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		require.NoError(t, err)
	}
	return run{command.ProcessState.ExitCode(), out.String(), log.String()}
}

// count returns how many results of a run have a verdict.
func (r *run) count(verdict string) int {
	return len(regexp.MustCompile(`(?m)^`+verdict+` +authorization-server/`).FindAllString(r.out, -1))
}

// TestIssuerChecksConform runs every check from the command line, with a scripted person and with
// a person at $BROWSER. The broker meets the person at $BROWSER with CONFORMANCE=full alone, as in
// make race.
func TestIssuerChecksConform(t *testing.T) {
	t.Parallel()
	self := "'" + os.Args[0] + "' browse "
	const signsIn = "'username=ada' 'password=correct horse' "
	password := filepath.Join(t.TempDir(), "password.txt")
	require.NoError(t, os.WriteFile(password, []byte("correct horse\n"), 0o600))
	asks := []string{"--scope", "read,write", "--resource", "https://mcp.example/mcp"}
	for _, test := range []struct {
		name    string
		issuer  string
		browser string
		flags   []string
		passes  int // at least
	}{
		{
			name:   "the base with a script",
			issuer: startBase(t),
			flags:  append([]string{"--field", "username=ada", "--field", "password=@" + password}, asks...),
			passes: 100,
		},
		{"the broker with a script", startBroker(t), "", []string{"--scripted"}, 90},
		{"the base with a browser", startBase(t), self + signsIn, append([]string{"--sign-in"}, asks...), 60},
		{"the broker with a browser", startBroker(t), self, []string{"--sign-in"}, 50},
	} {
		if test.name == "the broker with a browser" && os.Getenv("CONFORMANCE") != "full" {
			continue // each of its parts is in another case
		}
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			found := runIn(t, test.browser, append([]string{"issuer", test.issuer}, test.flags...)...)
			assert.Equal(t, 0, found.status, "%s\n%s", found.out, found.log)
			assert.GreaterOrEqual(t, found.count("pass"), test.passes, found.out)
			assert.Zero(t, found.count("fail"))
			assert.Zero(t, found.count("error"))
		})
	}
}

// TestIssuerBehindRigConforms plays the third party of brokers that the command starts.
func TestIssuerBehindRigConforms(t *testing.T) {
	t.Parallel()
	port := loopbacktest.Port(t)
	claims := fmt.Sprintf(`{"ver":"2.0","tid":%q,"oid":%q}`, directory.DefaultTenantID, directory.DefaultTenantID)
	found := runIn(t, "", "issuer", "http://localhost:"+port,
		"--scripted",
		"--rig", "127.0.0.1:0",
		"--rig-claims", claims,
		"--rig-start", "'"+os.Args[0]+"' broker {issuer} {port}",
		"--only", "authorization-server/third-party",
	)
	assert.Equal(t, 0, found.status, "%s\n%s", found.out, found.log)
	assert.Contains(t, found.out, "pass  authorization-server/third-party/id-token")
	assert.Contains(t, found.out, "pass  authorization-server/third-party/metadata")
	assert.Zero(t, found.count("error"))
}

// TestIssuerTellsRefusedSignIn ends with status 3 if the person leaves.
func TestIssuerTellsRefusedSignIn(t *testing.T) {
	t.Parallel()
	found := runIn(t, "'"+os.Args[0]+"' browse leave", "issuer", startBase(t), "--sign-in",
		"--only", "authorization-server/code/single-use,authorization-server/code/client")
	assert.Equal(t, exitRefused, found.status, "%s\n%s", found.out, found.log)
	assert.Contains(t, found.log, "BROWSER ended with status 3")
	assert.Contains(t, found.out, "an earlier sign-in did not get to its end")
}

// TestIssuerStopsEarly wants one line and status 2 for a target that gives no answer.
func TestIssuerStopsEarly(t *testing.T) {
	t.Parallel()
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
	}))
	t.Cleanup(silent.Close)
	for _, test := range []struct {
		issuer, want string
		flags        []string
	}{
		{"http://127.0.0.1:1", "http://127.0.0.1:1 cannot be reached: ", nil},
		{silent.URL, "gives no answer within 100ms; a slow server needs", []string{"--timeout", "100ms"}},
	} {
		found := runIn(t, "", append([]string{"issuer", test.issuer}, test.flags...)...)
		assert.Equal(t, exitUsage, found.status, "%s\n%s", found.out, found.log)
		assert.Contains(t, found.log, test.want)
		assert.Equal(t, 1, strings.Count(found.log, "\n"), found.log)
		assert.Empty(t, found.out)
	}
}
