// Package task has the client's task, which the suite gives in the environment, and the person's
// browser.
package task

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
)

// RedirectURI has no listener: Visit reads the redirect.
const RedirectURI = "http://localhost:3000/callback"

// DocumentURL is the address of the client ID metadata document.
const DocumentURL = "https://client.example.com/client.json"

// Tool is the tool of the suite's servers.
const Tool = "test-tool"

// A Context has members of MCP_CONFORMANCE_CONTEXT.
type Context struct {
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"`
	Issuer       string `json:"issuer"`
	GrantType    string `json:"grant_type"`
	Calls        int    `json:"calls"`
}

// Read returns the URL of the MCP server and the context of the task.
func Read() (string, Context, error) {
	if len(os.Args) != 2 {
		return "", Context{}, fmt.Errorf("want the URL of the MCP server, got %d words", len(os.Args)-1)
	}
	task := Context{Calls: 1}
	err := json.Unmarshal([]byte(os.Getenv("MCP_CONFORMANCE_CONTEXT")), &task)
	return os.Args[1], task, err
}

// maxPages bounds the redirects between the first page and the redirect URI.
const maxPages = 10

// Visit opens a page as the person does. It returns the parameters that arrive at the redirect URI.
func Visit(ctx context.Context, page string) (url.Values, error) {
	browser := &http.Client{CheckRedirect: func(request *http.Request, via []*http.Request) error {
		isRedirectURI := strings.HasPrefix(request.URL.String(), RedirectURI)
		if isRedirectURI || len(via) == maxPages {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, page, nil)
	if err != nil {
		return nil, err
	}
	response, err := browser.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	location, err := response.Location()
	if err != nil {
		return nil, fmt.Errorf("want a redirect to %s, got status %d", RedirectURI, response.StatusCode)
	}
	params := location.Query()
	if failure := params.Get("error"); failure != "" {
		return nil, fmt.Errorf("the person was refused: %q", failure)
	}
	if params.Get("code") == "" {
		return nil, fmt.Errorf("want a code, got %s", location.Redacted())
	}
	return params, nil
}
