package workstation_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/flock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/doctor"
)

const aKey = "0123456789abcdef0123456789abcdef"

// A fault is something wrong with a machine, and the code of its finding.
type fault struct {
	code string
	kind doctor.Kind
	make func(e *testEnv)
}

func setting(key, value string) func(*testEnv) { return func(e *testEnv) { e.env[key] = value } }

var faults = map[string]fault{
	"misspelt":        {"setting-misspelt", doctor.Warning, setting("MCP_REDIRECT_URL", "http://localhost/callback")},
	"lower-case":      {"setting-misspelt", doctor.Warning, setting("mcp_client_id", "nightly")},
	"quoted":          {"setting-quoted", doctor.Warning, setting("MCP_CLIENT_ID", `"nightly"`)},
	"server-keys":     {"server-keys-ignored", doctor.Warning, setting("AUTH_CLIENT_ID", "f5a3c0de")},
	"unread-file":     {"file-unread", doctor.Warning, unreadFile},
	"plain-http":      {"address-refused", doctor.Fault, func(e *testEnv) { e.config.URL = "http://192.0.2.1/mcp" }},
	"secret-alone":    {"client-id-missing", doctor.Fault, setting("MCP_CLIENT_SECRET", "hunter2-hunter2")},
	"two-credentials": {"credentials-twice", doctor.Fault, twoCredentials},
	"no-secret-file":  {"secret-file-unreadable", doctor.Fault, noSecretFile},
	"shared-secret":   {"secret-file-shared", doctor.Warning, sharedSecret},

	"browser-quote":   {"browser-setting-wrong", doctor.Fault, setting("BROWSER", `firefox "%s`)},
	"browser-shell":   {"browser-setting-wrong", doctor.Fault, setting("BROWSER", `sh -c "firefox %s"`)},
	"browser-missing": {"browser-not-found", doctor.Warning, setting("BROWSER", "netscape:mosaic %s")},
	"no-opener":       {"opener-missing", doctor.Warning, func(e *testEnv) { delete(e.paths, "xdg-open") }},
	"no-display":      {"no-display", doctor.Warning, func(e *testEnv) { delete(e.env, "DISPLAY") }},
	"ssh":             {"ssh-session", doctor.Warning, setting("SSH_CONNECTION", "192.0.2.1 50000 192.0.2.2 22")},
	"container":       {"container", doctor.Warning, inContainer},

	"redirect-https":    {"redirect-uri-wrong", doctor.Fault, setting("MCP_REDIRECT_URI", "https://a.example/cb")},
	"port-in-use":       {"callback-port-in-use", doctor.Fault, portInUse},
	"localhost-away":    {"localhost-elsewhere", doctor.Fault, localhost("192.0.2.1")},
	"localhost-missing": {"localhost-elsewhere", doctor.Fault, localhost("")},

	"bus-missing": {"session-bus-silent", doctor.Warning, missingBus},
	"bus-hangs":   {"session-bus-silent", doctor.Warning, hangingBus},

	"no-home":           {"token-folder-unusable", doctor.Fault, func(e *testEnv) { delete(e.env, "HOME") }},
	"relative-home":     {"token-folder-unusable", doctor.Fault, setting("HOME", "home/user")},
	"folder-is-link":    {"token-folder-unusable", doctor.Fault, folderIsLink},
	"shared-folder":     {"token-folder-shared", doctor.Warning, sharedFolder},
	"shared-key":        {"token-key-unusable", doctor.Fault, sharedKey},
	"short-key":         {"token-key-unusable", doctor.Fault, shortKey},
	"record-is-link":    {"token-record-unusable", doctor.Fault, recordIsLink},
	"shared-record":     {"token-record-shared", doctor.Warning, sharedRecord},
	"locked-record":     {"token-store-locked", doctor.Warning, lockedRecord},
	"other-owner":       {"token-store-owner", doctor.Fault, otherOwner},
	"unknown-store":     {"token-store-unknown", doctor.Fault, setting("MCP_TOKEN_STORE", "keychain")},
	"no-store-command":  {"token-store-command-missing", doctor.Fault, setting("MCP_TOKEN_STORE", "command:vault get")},
	"empty-command":     {"token-store-command-missing", doctor.Fault, setting("MCP_TOKEN_STORE", "command:")},
	"folder-not-a-home": {"token-folder-unusable", doctor.Fault, folderInFile},

	"proxy-refuses":     {"proxy-unusable", doctor.Fault, proxyRefuses},
	"proxy-wants-user":  {"proxy-unusable", doctor.Fault, proxyAnswers(http.StatusProxyAuthRequired)},
	"proxy-blocks":      {"proxy-unusable", doctor.Fault, proxyAnswers(http.StatusForbidden)},
	"proxy-malformed":   {"proxy-unusable", doctor.Fault, proxyMalformed},
	"proxy-twice":       {"proxy-spelt-twice", doctor.Warning, proxyTwice},
	"proxy-inspects":    {"proxy-inspects-tls", doctor.Fault, proxyInspects},
	"no-certificates":   {"certificate-file-unusable", doctor.Fault, setting("SSL_CERT_FILE", "/missing/file.pem")},
	"empty-certificate": {"certificate-file-unusable", doctor.Fault, emptyCertificate},

	"clock-behind": {"clock-wrong", doctor.Fault, clockOff(-10 * time.Minute)},
	"clock-ahead":  {"clock-wrong", doctor.Warning, clockOff(2 * time.Minute)},
}

func TestFaultsAreNamed(t *testing.T) {
	t.Parallel()
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newTestEnv(t)
			fault.make(e)
			report := e.examine()
			var codes []string
			for _, step := range report.Steps {
				for _, finding := range step.Findings {
					if finding.Kind == doctor.Fine {
						continue
					}
					codes = append(codes, finding.Code)
					assert.Equal(t, fault.kind, finding.Kind, finding.Code)
					assert.NotEmpty(t, finding.Fixes, finding.Code)
				}
			}
			assert.Equal(t, []string{fault.code}, codes, "the only finding")
			e.matches(name, report)
		})
	}
}

func TestMachineWithoutFaultIsFine(t *testing.T) {
	t.Parallel()
	e := newTestEnv(t)
	report := e.examine()
	assert.Zero(t, report.ExitStatus())
	for _, step := range report.Steps {
		for _, finding := range step.Findings {
			assert.Equal(t, doctor.Fine, finding.Kind, finding.Code)
		}
	}
	e.matches("fine", report)
}

func unreadFile(e *testEnv) {
	text := "# a comment\nexport MCP_CLIENT_ID=nightly\nMCP_CLIENT_SECRET=hunter2-hunter2\nOTHER=1\n"
	require.NoError(e.t, os.WriteFile(filepath.Join(e.config.WorkingFolder, ".env"), []byte(text), 0o600))
}

func twoCredentials(e *testEnv) {
	e.env["MCP_CLIENT_ID"] = "nightly"
	e.env["MCP_CLIENT_SECRET"] = "hunter2-hunter2"
	e.env["MCP_CLIENT_KEY_FILE"] = filepath.Join(e.home, "key.pem")
	require.NoError(e.t, os.WriteFile(e.env["MCP_CLIENT_KEY_FILE"], nil, 0o600))
}

func noSecretFile(e *testEnv) {
	e.env["MCP_CLIENT_ID"] = "nightly"
	e.env["MCP_CLIENT_SECRET_FILE"] = "secret.txt"
}

func sharedSecret(e *testEnv) {
	noSecretFile(e)
	name := filepath.Join(e.config.WorkingFolder, "secret.txt")
	require.NoError(e.t, os.WriteFile(name, []byte("hunter2-hunter2"), 0o600))
	require.NoError(e.t, os.Chmod(name, 0o644))
}

func inContainer(e *testEnv) {
	require.NoError(e.t, os.WriteFile(filepath.Join(e.root, ".dockerenv"), nil, 0o600))
}

func portInUse(e *testEnv) {
	listener := listen(e.t)
	e.env["MCP_REDIRECT_URI"] = "http://127.0.0.1:" + portOf(listener) + "/callback"
	linkProc(e)
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	return listener
}

func portOf(listener net.Listener) string {
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	return port
}

func localhost(address string) func(*testEnv) {
	return func(e *testEnv) {
		e.config.LookupHost = func(context.Context, string) ([]string, error) {
			if address == "" {
				return nil, errors.New("not found")
			}
			return []string{address}, nil
		}
	}
}

func missingBus(e *testEnv) { e.env["DBUS_SESSION_BUS_ADDRESS"] = "unix:path=/missing/bus" }

func hangingBus(e *testEnv) {
	folder, err := os.MkdirTemp("", "bus") // the path of a socket has to be short
	require.NoError(e.t, err)
	e.t.Cleanup(func() { _ = os.RemoveAll(folder) })
	socket := filepath.Join(folder, "bus")
	listener, err := net.Listen("unix", socket)
	require.NoError(e.t, err)
	e.t.Cleanup(func() { _ = listener.Close() })
	e.env["DBUS_SESSION_BUS_ADDRESS"] = "unix:path=" + socket
}

func folderIsLink(e *testEnv) {
	folder := e.tokens(nil)
	require.NoError(e.t, os.Remove(folder))
	require.NoError(e.t, os.Symlink(e.t.TempDir(), folder))
}

func sharedFolder(e *testEnv) { require.NoError(e.t, os.Chmod(e.tokens(nil), 0o755)) }

func sharedKey(e *testEnv) {
	folder := e.tokens(map[string]string{"key": aKey})
	require.NoError(e.t, os.Chmod(filepath.Join(folder, "key"), 0o640))
}

func shortKey(e *testEnv) { e.tokens(map[string]string{"key": "short"}) }

func recordIsLink(e *testEnv) {
	folder := e.tokens(map[string]string{"key": aKey})
	require.NoError(e.t, os.Symlink("/etc/passwd", filepath.Join(folder, "0f.record")))
}

func sharedRecord(e *testEnv) {
	folder := e.tokens(map[string]string{"key": aKey, "0f.record": "sealed"})
	require.NoError(e.t, os.Chmod(filepath.Join(folder, "0f.record"), 0o644))
}

func lockedRecord(e *testEnv) {
	folder := e.tokens(map[string]string{"key": aKey, "0f.lock": ""})
	lock := flock.New(filepath.Join(folder, "0f.lock"))
	taken, err := lock.TryLock()
	require.NoError(e.t, err)
	require.True(e.t, taken)
	e.t.Cleanup(func() { _ = lock.Unlock() })
	linkProc(e)
}

// linkProc gives the machine the tables of this one.
func linkProc(e *testEnv) {
	if _, err := os.Stat("/proc/locks"); err != nil {
		e.t.Skip("needs /proc of Linux")
	}
	require.NoError(e.t, os.Symlink("/proc", filepath.Join(e.root, "proc")))
}

func otherOwner(e *testEnv) {
	e.tokens(nil)
	e.config.UserID = os.Getuid() + 4321
}

func folderInFile(e *testEnv) {
	require.NoError(e.t, os.WriteFile(filepath.Join(e.home, "file"), nil, 0o600))
	e.env["MCP_TOKEN_STORE"] = "file:" + filepath.Join(e.home, "file", "tokens")
}

// remote gives the machine a server elsewhere, which a proxy is for.
func remote(e *testEnv, through string) {
	e.config.URL = "https://mcp.example.com/mcp"
	e.env["HTTPS_PROXY"] = through
	e.config.Walk.Patience = 5 * time.Second
}

func proxyRefuses(e *testEnv) {
	remote(e, "http://user:hunter2-hunter2@127.0.0.1:1") // no test listens there
}

func proxyAnswers(status int) func(*testEnv) {
	return func(e *testEnv) {
		proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
		}))
		e.t.Cleanup(proxy.Close)
		remote(e, strings.Replace(proxy.URL, "http://", "http://user:hunter2-hunter2@", 1))
	}
}

func proxyMalformed(e *testEnv) { remote(e, "http://user:hunter2-hunter2@[::1") }

func proxyTwice(e *testEnv) {
	e.env["NO_PROXY"] = "localhost"
	e.env["no_proxy"] = "localhost,example.com"
}

// proxyInspects is a proxy that answers for the server with its own certificate.
func proxyInspects(e *testEnv) {
	inspecting := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", now.Format(http.TimeFormat))
	}))
	e.t.Cleanup(inspecting.Close)
	target := strings.TrimPrefix(inspecting.URL, "https://")
	remote(e, proxyTo(e.t, target))
}

// proxyTo starts a proxy whose tunnels all lead to one address.
func proxyTo(t *testing.T, target string) string {
	t.Helper()
	proxy := httptest.NewServer(connectTo(target))
	t.Cleanup(proxy.Close)
	return proxy.URL
}

// connectTo is an HTTP proxy whose tunnels all lead to one address.
func connectTo(target string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		there, err := net.Dial("tcp", target)
		if err != nil || r.Method != http.MethodConnect {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		here, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			_ = there.Close()
			return
		}
		fmt.Fprint(here, "HTTP/1.1 200 OK\r\n\r\n")
		go copyUntilEnd(there, here)
		copyUntilEnd(here, there)
	})
}

func copyUntilEnd(to, from net.Conn) {
	buffer := make([]byte, 4096)
	for {
		n, err := from.Read(buffer)
		if _, writeErr := to.Write(buffer[:n]); err != nil || writeErr != nil {
			_ = to.Close()
			return
		}
	}
}

func emptyCertificate(e *testEnv) {
	e.env["SSL_CERT_FILE"] = "empty.pem"
	require.NoError(e.t, os.WriteFile(filepath.Join(e.config.WorkingFolder, "empty.pem"), []byte("x"), 0o600))
}

func clockOff(by time.Duration) func(*testEnv) {
	return func(e *testEnv) { e.config.Walk.Now = func() time.Time { return now.Add(by) } }
}
