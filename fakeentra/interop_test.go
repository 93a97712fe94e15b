package fakeentra_test

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
	"mcpentra/fakeentra/useragent/chromium"
)

// interop is the folder of other people's Node.js software. Without make interop, which installs
// it, the test is skipped.
func interop(t *testing.T) string {
	t.Helper()
	folder, err := filepath.Abs("../testdata/interop")
	require.NoError(t, err)
	if os.Getenv("MCPENTRA_INTEROP") == "" {
		t.Skip("needs Node.js packages: make interop installs them and runs this")
	}
	_, err = os.Stat(filepath.Join(folder, "node_modules"))
	require.NoError(t, err, "npm ci in testdata/interop")
	return folder
}

// runNode runs a script of testdata/interop/fakeentra against a fake over TLS.
func runNode(t *testing.T, script string, want int) {
	t.Helper()
	runNodeAt(t, fakeentra.PublicCloud, script, want)
}

// runNodeAt runs a script against a fake of a cloud.
func runNodeAt(t *testing.T, cloud fakeentra.Cloud, script string, want int) {
	t.Helper()
	folder := interop(t)
	d, certificate, key := directoryOfApps(t)
	d.Tenants[0].Apps[0].ImplicitIDTokens = true
	workload := newFake(t, fakeentra.Config{PublicURL: "https://workload.test"})
	fake := fakeentra.NewTLSServer(
		fakeentra.Config{Directory: d, AutoSignIn: true, FederationClient: workload.Client(), Cloud: cloud},
	)
	t.Cleanup(fake.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(ca, fake.CAPEM(), 0o600))
	assertion, err := fake.Mint(fakeentra.Token{API: middleTierID})
	require.NoError(t, err)
	foreign, err := workload.Mint(fakeentra.Token{Edit: func(claims map[string]any) {
		claims["sub"] = "workload"
		claims["aud"] = directory.FederatedAudience
	}})
	require.NoError(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	node := exec.CommandContext(ctx, "node", filepath.Join("fakeentra", script))
	node.Dir = folder
	node.Env = append(
		os.Environ(),
		"NODE_EXTRA_CA_CERTS="+ca,
		"AUTHORITY="+fake.URL,
		"TENANT="+directory.DefaultTenantID,
		"CLIENT="+directory.DefaultClientID,
		"SECRET="+directory.DefaultClientSecret,
		"API="+directory.DefaultAPIID,
		"MIDDLE="+middleTierID,
		"ASSERTION="+assertion,
		"WORKLOAD="+foreign,
		"IDENTITY="+directory.DefaultIdentityID,
		fmt.Sprintf("THUMBPRINT=%x", sha256.Sum256(certificate.Raw)),
		"PRIVATE_KEY="+string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	)
	node.Env = append(node.Env, fake.IdentityEnvironment()...)
	output, err := node.CombinedOutput()
	require.NoError(t, err, "%s", output)
	assert.Equal(t, want, strings.Count(string(output), "ok "), "%s", output)
}

func TestInteropMSALNode(t *testing.T) {
	t.Parallel()
	runNode(t, "msal-node.mjs", 14)
}

func TestInteropManagedIdentity(t *testing.T) {
	t.Parallel()
	runNode(t, "managed-identity.mjs", 4)
}

func TestInteropExternalID(t *testing.T) {
	t.Parallel()
	runNodeAt(t, fakeentra.ExternalID, "external-id.mjs", 2)
}

func TestInteropOpenIDClient(t *testing.T) {
	t.Parallel()
	runNode(t, "openid-client.mjs", 7)
}

// A single-page app on msal-browser signs in on the fake's page in a real browser, refreshes by
// script and calls Graph.
func TestInteropMSALBrowser(t *testing.T) {
	t.Parallel()
	folder := interop(t)
	browser, stop, err := chromium.Start(t.Context(), chromium.Config{TrustAnyCertificate: true})
	require.NoError(t, err)
	defer stop()
	site := httptest.NewServer(nil)
	defer site.Close()
	origin := strings.Replace(site.URL, "127.0.0.1", "localhost", 1)
	d := changed(func(t *directory.Tenant) {
		t.Apps = append(t.Apps, directory.App{ID: spaID, DisplayName: "Single page", SPA: []string{origin + "/"}})
	})
	fake := fakeentra.NewTLSServer(fakeentra.Config{Directory: d})
	defer fake.Close()
	mux := http.NewServeMux()
	mux.HandleFunc("/settings.json", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]string{
			"client":    spaID,
			"authority": fake.URL + "/" + directory.DefaultTenantID,
			"me":        fake.URL + "/v1.0/me",
		})
	})
	mux.HandleFunc("/msal-browser.js", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, filepath.Join(folder, "node_modules/@azure/msal-browser/lib/msal-browser.min.js"))
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, filepath.Join(folder, "fakeentra/spa.html"))
	})
	site.Config.Handler = mux

	ctx, cancel := context.WithTimeout(browser, time.Minute)
	defer cancel()
	require.NoError(t, chromedp.Do(ctx,
		chromedp.Navigate(origin+"/"), chromedp.WaitVisible("#state.out"), chromedp.Click("#sign-in"),
		chromedp.WaitVisible(`button[name="account"]`), chromedp.Click(`button[name="account"]`),
		chromedp.WaitVisible(`button[value="accept"]`), chromedp.Click(`button[value="accept"]`),
		chromedp.WaitVisible("#state.in"),
	))
	state, err := chromedp.Run(ctx, chromedp.Text("#state"))
	require.NoError(t, err)
	assert.Equal(t, "hello AdeleV@contoso.onmicrosoft.com, Adele Vance", state)
}
