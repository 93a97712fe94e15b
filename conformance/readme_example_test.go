package conformance_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"mcpentra/conformance/check"
	"mcpentra/conformance/clients"
	"mcpentra/conformance/issuers"
	"mcpentra/conformance/servers"
)

func Example_servers() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
	})) // in place of your own
	defer server.Close()

	report, err := servers.Run(context.Background(), servers.Target{
		URL:    server.URL + "/mcp",
		Tokens: nil, // by kind: good, expired, another user's
		Mint:   nil, // any other, with the issuer's key
		Canary: nil, // a tool that counts its runs
	}, check.Selection{IDs: []string{"server/authorization"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(report.Results[0].Verdict, report.Results[0].Name())
	// Output: note server/authorization/required
}

func Example_issuers() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
	})) // in place of your own
	defer server.Close()

	report, err := issuers.Run(context.Background(), issuers.Target{
		URL:      server.URL,
		Person:   issuers.ScriptedPerson(map[string]string{"username": "ada", "password": "secret"}),
		Resource: "https://mcp.example.com/mcp",
		Scopes:   []string{"read"},
	}, check.Selection{IDs: []string{"authorization-server/metadata/published"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(report.Results[0].Verdict, report.Results[0].Name())
	// Output: fail authorization-server/metadata/published
}

func Example_clients() {
	report, err := clients.Run(context.Background(), clients.Target{
		Name: "my client",
		Run: func(ctx context.Context, task clients.Task) error {
			// Connect to task.URL, show pages with task.Open, list the tools, call task.Tool.
			return fmt.Errorf("no client is here yet")
		},
		Revisions: []check.Revision{check.R20251125},
	}, check.Selection{IDs: []string{"client/pkce/s256"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(report.Results[0].Verdict, report.Results[0].Name())
	// Output: want a request to the MCP server, but the client sends none: no client is here yet
}
