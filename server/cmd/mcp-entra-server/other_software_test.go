package main_test

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/loopback/loopbacktest"
	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
	"mcpentra/fakeentra/useragent/chromium"
	"mcpentra/testdata/interop/official"
)

// startAtOtherSite starts the program with settings NAME=VALUE, and returns its origin. It is at
// localhost and the fake at 127.0.0.1, which are different sites for browsers.
func startAtOtherSite(t *testing.T, settings ...string) (origin string) {
	t.Helper()
	address := "localhost:" + loopbacktest.Port(t)
	startBehindFake(t, address, settings...)
	return "http://" + address
}

// startBehindFake starts a fake Entra ID, and the program in front of it at an address.
func startBehindFake(t *testing.T, address string, settings ...string) {
	t.Helper()
	fake := fakeentra.NewServer(fakeentra.Config{})
	t.Cleanup(fake.Close)
	startProcess(
		t,
		"serving http://"+address,
		exec.Command(filepath.Join(programs, "mcp-entra-server"), "--store", "memory:"),
		append([]string{
			"AUTH_AUTHORITY=" + fake.URL,
			"AUTH_TENANT_ID=" + directory.DefaultTenantID,
			"AUTH_CLIENT_ID=" + directory.DefaultClientID,
			"AUTH_CLIENT_SECRET=" + directory.DefaultClientSecret,
			"MCP_ADDR=" + address,
		}, settings...)...,
	)
}

// TestInteropOfficialAuthorization runs all scenarios of the official suite's mode authorization
// against the program. Every check has to succeed, without a warning. The client is public: the
// suite never sends a secret to a server that also has public clients.
func TestInteropOfficialAuthorization(t *testing.T) {
	t.Parallel()
	official.Need(t)
	origin := startAtOtherSite(t)
	port := loopbacktest.Port(t)
	response, err := http.Post(origin+"/register", "application/json", strings.NewReader(
		`{"client_name":"official suite","redirect_uris":["http://127.0.0.1:`+port+
			`/callback"],"token_endpoint_auth_method":"none"}`))
	require.NoError(t, err)
	defer response.Body.Close()
	require.Equal(t, http.StatusCreated, response.StatusCode)
	var client struct {
		ID string `json:"client_id"`
	}
	require.NoError(t, json.NewDecoder(response.Body).Decode(&client))
	run := official.Authorization(t, port,
		"--url", origin, "--client-id", client.ID, "--resource", origin+"/mcp")
	assert.Zero(t, run.Exit, run.Output)
	assert.Equal(t, []string{
		"authorization-code-grant authorization-code-grant SUCCESS",
		"authorization-server-metadata-endpoint authorization-server-metadata SUCCESS",
		"authorization-server-metadata-endpoint authorization-server-metadata-cimd SUCCESS",
	}, run.Verdicts(), "a check failed, warned, or is new\n%s", run.Output)
}

// TestInteropInspectorWithProgram signs MCP Inspector in at the program, in a real browser: once by
// registration, and once by its client ID metadata document at a server without registration.
func TestInteropInspectorWithProgram(t *testing.T) {
	t.Parallel()
	official.Need(t)
	for _, byDocument := range []bool{false, true} {
		t.Run(map[bool]string{false: "by registration", true: "by document"}[byDocument], func(t *testing.T) {
			t.Parallel()
			i := newInspector(t)
			var settings []string
			expected := ""
			if byDocument {
				document, host, caFile := serveDocument(t, i.callback)
				i.useDocument(document)
				expected = document
				settings = []string{
					"AUTH_REGISTRATION=off",
					"AUTH_CLIENT_DOCUMENTS=" + host,
					"AUTH_CA_FILE=" + caFile,
				}
			}
			origin := startAtOtherSite(t, settings...)

			output := i.run(t.Context(), "connect", origin+"/mcp", "--connection", "c")
			page := shownAuthorization.FindString(output)
			require.NotEmpty(t, page, output)
			consent := approveInChromium(t, page)
			assert.Contains(t, consent, "MCP Inspector")
			assert.Contains(t, consent, "on this computer")
			asked, err := url.Parse(page)
			require.NoError(t, err)
			client := asked.Query().Get("client_id")
			assert.Equal(t, byDocument, client == expected, client)
			called := i.run(t.Context(), "tools/call", "get_user_name", "--connection", "c")
			assert.Contains(t, called, "User name is Adele Vance")
		})
	}
}

// shownAuthorization matches an authorization request that a program shows to its user.
var shownAuthorization = regexp.MustCompile(`https?://\S+/authorize\?\S+`)

// An inspector is MCP Inspector with a folder for its files.
type inspector struct {
	t        *testing.T
	home     string
	port     string
	callback string
	settings []string // NAME=VALUE of its environment
}

func newInspector(t *testing.T) *inspector {
	t.Helper()
	home, err := os.MkdirTemp("", "mcp-") // t.TempDir is too long for a socket
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(home) })
	port := loopbacktest.Port(t)
	i := &inspector{t: t, home: home, port: port, callback: "http://127.0.0.1:" + port + "/oauth/callback"}
	t.Cleanup(func() { i.run(context.Background(), "daemon", "stop") })
	return i
}

// useDocument makes Inspector use a client ID metadata document instead of registration.
func (i *inspector) useDocument(document string) {
	i.t.Helper()
	file := filepath.Join(i.home, "client.json")
	text := fmt.Sprintf(`{"cimd":{"enabled":true,"clientMetadataUrl":%q}}`, document)
	require.NoError(i.t, os.WriteFile(file, []byte(text), 0o600))
	i.settings = append(i.settings, "MCP_CLIENT_CONFIG_PATH="+file)
}

// run runs one command of Inspector, and returns its output.
func (i *inspector) run(ctx context.Context, arguments ...string) string {
	i.t.Helper()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	command := official.Inspector(ctx, i.t, i.home, i.port, arguments...)
	command.Env = append(command.Env, i.settings...)
	output, err := command.CombinedOutput()
	require.NoError(i.t, err, "%v: %s", arguments, output)
	return string(output)
}

// serveDocument serves Inspector's document on loopback, with the members that Inspector registers.
// It returns the document's URL, its host and a file with the certificate authority.
func serveDocument(t *testing.T, callback string) (document, host, caFile string) {
	t.Helper()
	site := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		assert.NoError(t, json.NewEncoder(w).Encode(map[string]any{
			"client_id":                  "https://" + r.Host + r.URL.Path,
			"client_name":                "MCP Inspector",
			"client_uri":                 "https://github.com/modelcontextprotocol/inspector",
			"redirect_uris":              []string{callback},
			"grant_types":                []string{"authorization_code", "refresh_token"},
			"response_types":             []string{"code"},
			"token_endpoint_auth_method": "none",
			"application_type":           "native",
		}))
	}))
	t.Cleanup(site.Close)
	caFile = filepath.Join(t.TempDir(), "ca.pem")
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: site.Certificate().Raw})
	require.NoError(t, os.WriteFile(caFile, certificate, 0o600))
	return site.URL + "/client.json", site.Listener.Addr().String(), caFile
}

// approveInChromium approves and signs in with a real browser, until Inspector has answered.
// It returns the text of the consent page.
func approveInChromium(t *testing.T, page string) (consent string) {
	t.Helper()
	browser, stop, err := chromium.Start(t.Context(), chromium.Config{})
	require.NoError(t, err)
	t.Cleanup(stop)
	ctx, cancel := context.WithTimeout(browser, time.Minute)
	defer cancel()
	require.NoError(t, chromedp.Do(ctx, chromedp.Navigate(page), chromedp.WaitEnabled(`button[value="approve"]`)))
	consent, err = chromedp.Run(ctx, chromedp.Text("main"))
	require.NoError(t, err)
	require.NoError(t, chromedp.Do(ctx,
		chromedp.Click(`button[value="approve"]`),
		chromedp.WaitVisible(`button[name="account"]`), chromedp.Click(`button[name="account"]`),
		chromedp.WaitVisible(`button[value="accept"]`), chromedp.Click(`button[value="accept"]`),
		chromedp.WaitVisible(`//p[contains(., "OAuth complete")]`),
	))
	return consent
}
