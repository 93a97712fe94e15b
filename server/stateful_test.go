package server_test

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"testing"

	mcpclient "github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/client/transport"
	"github.com/mark3labs/mcp-go/mcp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/servers/signin"
	"mcpentra/fakeentra"
	"mcpentra/server"
)

func TestStatefulToolsBindSessions(t *testing.T) {
	t.Parallel()
	s := newDirectEnv(t, func(config *server.Config) { config.Stateful = true })
	adele := s.mint(fakeentra.Token{})
	alex := s.mint(fakeentra.Token{User: alexName})
	headers := func(raw, session string) []string {
		all := []string{
			"Content-Type",
			"application/json",
			"Accept",
			"application/json, text/event-stream",
			"Authorization",
			"Bearer " + raw,
		}
		if session != "" {
			all = append(all, "Mcp-Session-Id", session)
		}
		return all
	}
	status, header, _ := s.send(http.MethodPost, s.server.Resource(), initialize, headers(adele, "")...)
	require.Equal(t, http.StatusOK, status)
	session := header.Get("Mcp-Session-Id")
	require.NotEmpty(t, session)
	whoami := callWhoami
	status, _, body := s.send(http.MethodPost, s.server.Resource(), whoami, headers(adele, session)...)
	assert.Equal(t, http.StatusOK, status)
	assert.Contains(t, body, "Adele Vance")
	for _, method := range []string{http.MethodPost, http.MethodGet, http.MethodDelete} {
		status, _, body = s.send(method, s.server.Resource(), whoami, headers(alex, session)...)
		assert.Equal(t, http.StatusNotFound, status, "%s of another caller", method)
		assert.NotContains(t, body, "Adele")
		status, _, _ = s.send(method, s.server.Resource(), whoami, headers(alex, "")...)
		assert.Equal(t, http.StatusBadRequest, status, "%s without a session", method)
	}
	status, _, _ = s.send(http.MethodDelete, s.server.Resource(), "", headers(adele, session)...)
	assert.Equal(t, http.StatusOK, status)
	status, _, _ = s.send(http.MethodPost, s.server.Resource(), whoami, headers(adele, session)...)
	assert.Equal(t, http.StatusNotFound, status, "after its caller has ended it")
}

// TestLegacySSE signs in as a client of MCP 2024-11-05, which only knows the address of the stream,
// and calls a tool over the stream.
func TestLegacySSE(t *testing.T) {
	t.Parallel()
	origin := startServer(t, func(config *server.Config) { config.LegacySSE = true })
	signIn := signin.SignIn{URL: origin + server.SSEPath, Open: visit}
	raw, err := signIn.Token(t.Context())
	require.NoError(t, err, "the stream has metadata of its own, and the broker accepts its address as resource")

	client, err := mcpclient.NewSSEMCPClient(
		origin+server.SSEPath,
		transport.WithHeaders(map[string]string{"Authorization": "Bearer " + raw}),
	)
	require.NoError(t, err)
	defer client.Close()
	require.NoError(t, client.Start(t.Context()))
	_, err = client.Initialize(t.Context(), mcp.InitializeRequest{Params: mcp.InitializeParams{
		ProtocolVersion: "2024-11-05",
		ClientInfo:      mcp.Implementation{Name: "t", Version: "1"},
	}})
	require.NoError(t, err)
	call := mcp.CallToolRequest{}
	call.Params.Name = "get_user_name"
	answer, err := client.CallTool(t.Context(), call)
	require.NoError(t, err)
	assert.Equal(t, "User name is Adele Vance", answer.Content[0].(mcp.TextContent).Text)
}

func TestLegacySSEBindsStreams(t *testing.T) {
	t.Parallel()
	s := newDirectEnv(t, func(config *server.Config) { config.LegacySSE = true })
	adele := s.mint(fakeentra.Token{})
	alex := s.mint(fakeentra.Token{User: alexName})
	stream := s.origin + server.SSEPath
	status, header, _ := s.send(http.MethodGet, stream, "")
	assert.Equal(t, http.StatusUnauthorized, status)
	assert.Contains(
		t,
		header.Get("WWW-Authenticate"),
		stream[:len(s.origin)]+"/.well-known/oauth-protected-resource/sse",
	)

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, stream, nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+adele)
	resp, err := s.client.Do(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	assert.Empty(t, resp.Header.Get("Access-Control-Allow-Origin"))
	lines := bufio.NewReader(resp.Body)
	next := func(prefix string) string {
		for {
			line, err := lines.ReadString('\n')
			require.NoError(t, err)
			if text, found := strings.CutPrefix(line, prefix); found {
				return strings.TrimSpace(text)
			}
		}
	}
	messages := s.origin + next("data: ")
	require.Contains(t, messages, server.SSEPath+"/message?sessionId=")
	send := func(raw, address string) int {
		status, _, _ := s.send(
			http.MethodPost,
			address,
			initialize,
			"Content-Type",
			"application/json",
			"Authorization",
			"Bearer "+raw,
		)
		return status
	}
	assert.Equal(t, http.StatusNotFound, send(alex, messages))
	assert.Equal(t, http.StatusNotFound, send(adele, messages+"x"))
	assert.Equal(t, http.StatusAccepted, send(adele, messages))
	assert.Contains(t, next("data: "), `"serverInfo"`)
	status, _, _ = s.send(http.MethodPost, messages, initialize, "Content-Type", "application/json")
	assert.Equal(t, http.StatusUnauthorized, status, "a session does not authenticate")
}
