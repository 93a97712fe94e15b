package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/mcp"
	mcpserver "github.com/mark3labs/mcp-go/server"
	"github.com/rogpeppe/go-internal/testscript"

	"mcpentra/conformance/loopback/loopbacktest"
	"mcpentra/fakeentra"
	"mcpentra/fakeentra/useragent"
	"mcpentra/server"
	"mcpentra/server/entra"
)

// The environment of the tests is a server: forPeople, forMachines, forWaiting, others, or
// nothingAt. The program runs in a script (programs_test.go) or in a terminal (terminal_test.go).

// TestMain also runs the program under test, and the browser of a person who approves everything.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"mcp-entra-client": main, "approve": approve})
}

// approve is the browser.
func approve() {
	page, err := (&useragent.Browser{}).Visit(context.Background(), os.Args[len(os.Args)-1])
	if err != nil || page.Status != http.StatusOK {
		fmt.Fprintln(os.Stderr, "approve:", err)
		os.Exit(1)
	}
}

// forPeople starts this repository's server in front of a fake of Entra ID.
func forPeople(t *testing.T) (address string, stop func()) {
	fake := fakeentra.NewServer(fakeentra.Config{})
	var protected http.Handler
	listening := httptest.NewUnstartedServer(
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { protected.ServeHTTP(w, r) }),
	)
	_, port, _ := strings.Cut(listening.Listener.Addr().String(), ":")
	tenant := fake.Tenant()
	var err error
	protected, err = server.New(t.Context(), server.Config{
		PublicURL: "http://localhost:" + port,
		Entra: entra.Config{
			Authority:           fake.URL,
			TenantID:            tenant.ID,
			ClientID:            tenant.Apps[0].ID,
			ClientSecret:        tenant.Apps[0].Secrets[0],
			HTTPClient:          fake.Client(),
			TrustPublicFakeKeys: true,
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	listening.Start()
	return "http://localhost:" + port + "/mcp", func() {
		listening.Close()
		fake.Close()
	}
}

// forMachines starts a server whose authorization server knows one machine and one workload.
func forMachines() *httptest.Server {
	tools := mcpserver.NewMCPServer("machines", "1.0")
	tools.AddTool(mcp.NewTool("ping"), func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return mcp.NewToolResultText("pong"), nil
	})
	mcpHandler := mcpserver.NewStreamableHTTPServer(tools, mcpserver.WithStateLess(true))
	mux := http.NewServeMux()
	listening := httptest.NewServer(mux)
	answer := func(w http.ResponseWriter, status int, text string) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		fmt.Fprint(w, strings.ReplaceAll(text, "ORIGIN", listening.URL))
	}
	mux.HandleFunc("/.well-known/oauth-protected-resource/mcp", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, 200, `{"resource":"ORIGIN/mcp","authorization_servers":["ORIGIN"]}`)
	})
	mux.HandleFunc("/.well-known/oauth-authorization-server", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, 200, `{"issuer":"ORIGIN","token_endpoint":"ORIGIN/token"}`)
	})
	mux.HandleFunc("/token", func(w http.ResponseWriter, r *http.Request) {
		id, secret, _ := r.BasicAuth()
		isMachine := id == "machine" && secret == "the-secret"
		switch grant := r.FormValue("grant_type"); {
		case grant == "client_credentials" && isMachine:
		case grant == "urn:ietf:params:oauth:grant-type:jwt-bearer" && r.FormValue("assertion") == "the-jwt":
		default:
			answer(w, 401, `{"error":"invalid_client"}`)
			return
		}
		answer(w, 200, `{"access_token":"the-token","token_type":"Bearer","expires_in":600}`)
	})
	mux.HandleFunc("/mcp", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer the-token" {
			w.Header().Set("WWW-Authenticate", "Bearer")
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		mcpHandler.ServeHTTP(w, r)
	})
	return listening
}

// others starts a server that does not speak MCP. It names MCP endpoints at other origins.
func others(t *testing.T) string {
	t.Helper()
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/.well-known/oauth-protected-resource") {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `{"resource":"http://localhost:1/mcp","authorization_servers":["http://localhost:1"]}`)
			return
		}
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, "\x1b[2J go to http://localhost:1/evil or http://127.0.0.1.example.com/mcp")
	}))
	t.Cleanup(other.Close)
	return other.URL
}

// nothingAt returns an address where nothing listens.
func nothingAt(t *testing.T) string {
	t.Helper()
	port := loopbacktest.Port(t)
	return "127.0.0.1:" + port
}

// forWaiting starts a server with the tools wait, which does not return, and ping. The channel gets
// a value for each call of wait.
func forWaiting(t *testing.T) (address string, started <-chan struct{}) {
	t.Helper()
	calls := make(chan struct{}, 100)
	tools := mcpserver.NewMCPServer("waiting", "1.0")
	tools.AddTool(mcp.NewTool("wait"), func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		calls <- struct{}{}
		<-ctx.Done()
		return nil, ctx.Err()
	})
	tools.AddTool(mcp.NewTool("ping"), func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return mcp.NewToolResultText("pong"), nil
	})
	listening := httptest.NewServer(mcpserver.NewStreamableHTTPServer(tools, mcpserver.WithStateLess(true)))
	t.Cleanup(listening.Close)
	return listening.URL + "/mcp", calls
}
