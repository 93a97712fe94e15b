package client_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"mcpentra/client"
	"mcpentra/client/internal/console"
	"mcpentra/client/tokenrequest"
	"mcpentra/client/tokenstore"
	"mcpentra/conformance/check"
	"mcpentra/conformance/clients"
	"mcpentra/conformance/loopback"
)

// TestConformance runs every client check.
func TestConformance(t *testing.T) {
	t.Parallel()
	clients.Test(t, clients.Target{
		Name:       "mcpentra/client",
		Run:        runTask,
		Abilities:  clients.Abilities(),
		Revisions:  check.Revisions(),
		Document:   []byte(document),
		HTTPClient: hostDocument(t),
		Second:     second,
	})
}

// second is the length of a second in the checks that make the client wait.
const second = time.Second / 10

const document = `{"client_id": "` + documentURL +
	`", "client_name": "mcp-entra-client", "redirect_uris": ["http://localhost/callback"], ` +
	`"token_endpoint_auth_method": "none"}`

// hostDocument serves the client's document, as an operator's host does. The HTTP client connects
// to it.
func hostDocument(t *testing.T) *http.Client {
	host := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if "https://"+r.Host+r.URL.Path != documentURL {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(document))
	}))
	t.Cleanup(host.Close)
	trusting := host.Client().Transport.(*http.Transport).Clone()
	trusting.TLSClientConfig.ServerName = "example.com" // what the certificate is for
	trusting.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return loopback.Dial(ctx, network, host.Listener.Addr().String())
	}
	t.Cleanup(trusting.CloseIdleConnections)
	return &http.Client{Transport: trusting}
}

// documentURL is the URL of the client's metadata document. The document is the one that README.md
// describes.
const documentURL = "https://client.example.com/mcp-entra-client.json"

// runTask signs in and calls a tool, as the program does for its verb call.
func runTask(ctx context.Context, task clients.Task) error {
	base, err := baseFor(task)
	if err != nil {
		return err
	}
	defer base.CloseIdleConnections()
	store, err := tokenstore.OpenFile(filepath.Join(task.State, "tokens"), nil)
	if err != nil {
		return err
	}
	config := client.Config{
		Server:          task.URL,
		Base:            base,
		Browser:         task.Open,
		ClientID:        task.ClientID,
		ClientSecret:    task.ClientSecret,
		Tokens:          store,
		ClientDocument:  documentURL,
		ProtocolVersion: string(task.Revision),
		Account:         task.Account,
		DeviceCode:      task.Device,
		Trace:           func(event client.Event) { console.TellPerson(task.Output, event) },
		Pause:           func(ctx context.Context, d time.Duration) error { return pause(ctx, d*second/time.Second) },
	}
	if task.Check == "client/limit/slow" {
		config.RequestTimeout = 15 * second
	}
	var extensions []string
	switch {
	case task.Machine:
		config.Unattended = client.ClientCredentials{}
		extensions = []string{"io.modelcontextprotocol/oauth-client-credentials"}
	case task.Enterprise != nil:
		config.Unattended = client.Enterprise{
			IDToken:  constant(task.Enterprise.IDToken),
			Issuer:   task.Enterprise.Issuer,
			ClientID: task.Enterprise.ClientID,
		}
		extensions = []string{"io.modelcontextprotocol/enterprise-managed-authorization"}
	}
	if task.ClientKey != "" {
		config.ClientKey, err = tokenrequest.ReadKey([]byte(task.ClientKey), "ES256", "")
		if err != nil {
			return err
		}
	}
	under, err := client.New(config)
	if err != nil {
		return err
	}
	session, err := console.Connect(ctx, task.URL, under, console.Options{Version: "test", Extensions: extensions})
	if err != nil {
		return err
	}
	defer session.Close()
	for range max(1, task.Calls) {
		_, failed := session.Call(ctx, task.Tool, "")
		err = errors.Join(err, failed)
	}
	if err != nil || !task.SignOut {
		return err
	}
	_, err = under.SignOut(ctx)
	return err
}

// baseFor returns a transport with the task's proxy and certificate authority.
func baseFor(task clients.Task) (*http.Transport, error) {
	base := &http.Transport{}
	if task.Proxy != "" {
		proxy, err := url.Parse(task.Proxy)
		if err != nil {
			return nil, err
		}
		base.Proxy = func(r *http.Request) (*url.URL, error) {
			if host := r.URL.Hostname(); host == "127.0.0.1" || host == "localhost" || host == "::1" {
				return nil, nil
			}
			return proxy, nil
		}
	}
	if task.CAFile != "" {
		text, err := os.ReadFile(task.CAFile)
		if err != nil {
			return nil, err
		}
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(text)
		base.TLSClientConfig = &tls.Config{RootCAs: pool}
	}
	return base, nil
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
