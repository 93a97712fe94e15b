package server_test

import (
	"encoding/json"
	"net"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	mcpserver "github.com/mark3labs/mcp-go/server"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/servers"
	"mcpentra/server"
)

// A backend is a handler to put behind the guard, with the settings that it needs.
type backend struct {
	name     string
	canary   *canary // nil means the server's own tools
	upstream bool    // the canary runs as an upstream server
	stateful bool
	atOrigin bool     // the endpoint has no path
	only     []string // checks to run; nil means all of the mode
	about    []string // beginnings of checks that the short form tries with the backend, besides aboutTools
	// fragile leaves out the checks that disturb. Another backend of the placement runs them.
	fragile bool
	// inDirectMode says that the short form tries the backend in direct mode only.
	inDirectMode bool
	// meetsAll says that the short form tries the backend with every check.
	meetsAll bool
}

// backends returns all backends, with fresh canaries.
func backends() []backend {
	stateless := func() *canary {
		return newCanary(mcpserver.WithStateLess(true), mcpserver.WithDisableStreaming(true))
	}
	stateful := func() *canary { return newCanary(mcpserver.WithStateful(true)) }
	// Without Stateful, the handler itself decides about missing sessions: mcp-go answers 404.
	boundSessions := []string{
		"server/session/not-authentication",
		"server/session/other-user",
		"server/session/refreshed-token",
		"server/stream",
	}
	return []backend{
		{name: "own tools", meetsAll: true},
		{name: "own tools with sessions", stateful: true, fragile: true},
		{
			name:     "own tools at the origin",
			atOrigin: true,
			fragile:  true,
			about:    []string{"server/bypass/", "server/challenge/", "server/metadata/"},
		},
		{
			name:         "handler without sessions",
			canary:       stateless(),
			fragile:      true,
			inDirectMode: true,
			meetsAll:     true,
		},
		{name: "handler with sessions", canary: stateful(), stateful: true},
		{name: "handler with undeclared sessions", canary: stateful(), only: boundSessions, fragile: true},
		{name: "upstream without sessions", canary: stateless(), upstream: true, fragile: true},
		{
			name:         "upstream with sessions",
			canary:       stateful(),
			upstream:     true,
			stateful:     true,
			inDirectMode: true,
		},
	}
}

// isFullMatrix says that each mode is tried with every backend and every check, as make race does.
// Otherwise each backend stands behind one mode, and each mode has backends of every kind that it
// can have.
func isFullMatrix() bool { return os.Getenv("CONFORMANCE") == "full" }

// isTriedInBrokerMode reports whether the checks try the backend in broker mode.
func (b *backend) isTriedInBrokerMode() bool { return isFullMatrix() || !b.inDirectMode }

// isTriedInDirectMode reports whether the checks try the backend in direct mode, with tokens of a
// version.
func (b *backend) isTriedInDirectMode(version int) bool {
	switch {
	case version == 1 && b.canary != nil:
		return false // handlers do not see the version
	case isFullMatrix():
		return true
	case version == 1:
		return b.name == "own tools"
	}
	return b.inDirectMode
}

// aboutTools are the checks whose verdict depends on where the tools run.
var aboutTools = []string{
	"server/answer/", "server/caller/", "server/legacy/", "server/limits/", "server/message/", "server/modern/",
	"server/passthrough/", "server/session/", "server/stream/", "server/version/",
}

// aboutTokens are the checks whose verdict depends on the version of the access tokens.
var aboutTokens = []string{"server/caller/", "server/scope/", "server/token/"}

// share returns the checks below a beginning that are tried with the backend. In the short form one
// backend of each mode meets every check. The others meet those about them, and every fourth of the
// rest.
func (b *backend) share(below string, place int) []string {
	if b.only != nil {
		return b.only
	}
	about := slices.Concat(aboutTools, b.about)
	var ids []string
	for i, tried := range servers.Checks() {
		beginsID := func(beginning string) bool { return strings.HasPrefix(tried.ID, beginning) }
		isTried := isFullMatrix() || b.meetsAll || i%4 == place%4 || slices.ContainsFunc(about, beginsID)
		if isTried && beginsID(below) {
			ids = append(ids, tried.ID)
		}
	}
	return ids
}

// endpoint returns the path of the endpoint's URL.
func (b *backend) endpoint() string {
	if b.atOrigin {
		return ""
	}
	return "/mcp"
}

// configure puts the backend behind a server.
func (b *backend) configure(t *testing.T, config *server.Config) {
	t.Helper()
	config.Stateful = b.stateful
	// All checks run at once as one person, and none may lose its session to the others.
	config.Limits.CallerSessions = 1000
	if b.atOrigin {
		config.Path = "/"
	}
	switch {
	case b.canary == nil:
	case b.upstream:
		behind := httptest.NewServer(b.canary)
		t.Cleanup(behind.Close)
		config.Upstream = behind.URL + "/mcp"
	default:
		config.MCP = b.canary
	}
}

// describe adds the tools of the backend to a target.
func (b *backend) describe(t *testing.T, target *servers.Target) {
	t.Helper()
	target.Local = networkAddresses(t)
	if b.canary != nil {
		target.Canary = b.canary.tool()
		target.Forwarded = b.canary.requests
		return
	}
	target.Whoami = &servers.Whoami{Tool: "whoami", Caller: callerOfWhoami}
}

// callerOfWhoami reads the caller in a result of the tool whoami.
func callerOfWhoami(result []byte) string {
	var answer struct {
		Structured struct {
			ObjectID string `json:"object_id"`
		} `json:"structuredContent"`
	}
	_ = json.Unmarshal(result, &answer)
	return answer.Structured.ObjectID
}

// networkAddresses returns the machine's addresses that other machines can reach.
func networkAddresses(t *testing.T) []string {
	t.Helper()
	all, err := net.InterfaceAddrs()
	require.NoError(t, err)
	found := []string{}
	for _, address := range all {
		if network, ok := address.(*net.IPNet); ok && network.IP.IsGlobalUnicast() {
			found = append(found, network.IP.String())
		}
	}
	return found
}
