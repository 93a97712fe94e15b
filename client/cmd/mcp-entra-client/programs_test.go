package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/mcp"
	mcpserver "github.com/mark3labs/mcp-go/server"
	"github.com/rogpeppe/go-internal/testscript"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/useragent"
	"mcpentra/server"
	"mcpentra/server/entra"
)

// The test program is the program under test as well, and the browser of a person who approves.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"mcp-entra-client": main, "approve": approve})
}

func approve() {
	page, err := (&useragent.Browser{}).Visit(context.Background(), os.Args[len(os.Args)-1])
	if err != nil || page.Status != http.StatusOK {
		fmt.Fprintln(os.Stderr, "approve:", err)
		os.Exit(1)
	}
}

// TestPrograms runs the scripts of testdata against a server of this repository, and against one
// for machines.
func TestPrograms(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			people, stop := forPeople(t)
			env.Defer(stop)
			machines := forMachines()
			env.Defer(machines.Close)
			env.Setenv("PEOPLE", people)
			env.Setenv("PEOPLE_AT", strings.TrimSuffix(strings.TrimPrefix(people, "http://"), "/mcp"))
			env.Setenv("OTHERS", others(t))
			env.Setenv("NOTHING_AT", nothingAt(t))
			env.Setenv("MACHINES", machines.URL+"/mcp")
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("BROWSER", "approve")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "private": private},
	})
}

// exits runs `exits STATUS PROGRAM ARGS…`, and keeps what it says in the files stdout and stderr.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	ts.Check(os.WriteFile(ts.MkAbs("stdout"), []byte(ts.ReadFile("stdout")), 0o600))
	ts.Check(os.WriteFile(ts.MkAbs("stderr"), []byte(ts.ReadFile("stderr")), 0o600))
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("%s: exit status %d, want %d", args[1], got, want)
	}
}

// private fails for a folder in which somebody else could read a file, or a file in the clear holds
// a token.
func private(ts *testscript.TestScript, _ bool, args []string) {
	found := 0
	ts.Check(filepath.WalkDir(ts.MkAbs(args[0]), func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o077 != 0 {
			return fmt.Errorf("%s has mode %o", path, info.Mode().Perm())
		}
		if entry.IsDir() {
			return nil
		}
		found++
		text, err := os.ReadFile(path)
		if strings.Contains(string(text), "eyJ") || strings.Contains(string(text), "http") {
			return fmt.Errorf("%s says something in the clear", path)
		}
		return err
	}))
	if found == 0 {
		ts.Fatalf("nothing is kept in %s", args[0])
	}
}

// forPeople is the server of this repository in front of a fake of Entra ID.
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
	return "http://localhost:" + port + "/mcp", func() { listening.Close(); fake.Close() }
}

// forMachines is a server whose authorization server knows one machine and one workload.
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
		switch {
		case r.FormValue("grant_type") == "client_credentials" && id == "machine" && secret == "the-secret":
		case r.FormValue("grant_type") == "urn:ietf:params:oauth:grant-type:jwt-bearer" && r.FormValue("assertion") == "the-jwt":
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

// others is a server that is none of MCP. What it says of an MCP endpoint is at another origin.
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

// nothingAt is an address where nothing listens.
func nothingAt(t *testing.T) string {
	t.Helper()
	listening, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listening.Close()
	return listening.Addr().String()
}
