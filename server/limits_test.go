package server_test

import (
	"context"
	"log/slog"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra"
	"mcpentra/server"
	"mcpentra/server/guard"
)

// TestSessionLimitIsPerCaller lets a person begin more sessions than the server keeps in all.
func TestSessionLimitIsPerCaller(t *testing.T) {
	t.Parallel()
	var log safeBuffer
	s := newDirectEnv(t, func(config *server.Config) {
		config.Stateful = true
		config.Limits = guard.Limits{CallerSessions: 5, TotalSessions: 20}
		config.Logger = slog.New(slog.NewTextHandler(&log, nil))
	})
	adele := s.mint(fakeentra.Token{})
	alex := s.mint(fakeentra.Token{User: alexName})
	send := func(raw, session, body string) (int, string) {
		headers := []string{
			"Content-Type", "application/json", "Accept", "application/json, text/event-stream",
			"Authorization", "Bearer " + raw,
		}
		if session != "" {
			headers = append(headers, "Mcp-Session-Id", session)
		}
		status, header, _ := s.send(http.MethodPost, s.server.Resource(), body, headers...)
		return status, header.Get("Mcp-Session-Id")
	}
	_, alexSession := send(alex, "", initialize)
	require.NotEmpty(t, alexSession)
	var sessions []string
	for range 30 {
		status, session := send(adele, "", initialize)
		require.Equal(t, http.StatusOK, status)
		sessions = append(sessions, session)
	}
	const list = `{"jsonrpc":"2.0","id":2,"method":"tools/list"}`
	status, _ := send(alex, alexSession, list)
	assert.Equal(t, http.StatusOK, status)
	for i, session := range sessions {
		status, _ := send(adele, session, list)
		assert.Equal(t, i >= 25, status == http.StatusOK, "session %d: %d", i, status)
	}
	assert.Contains(t, log.String(), "MCP_CALLER_SESSIONS")
}

// TestStreamLimitCoversBothTransports opens streams at the endpoint and at the path of HTTP+SSE.
func TestStreamLimitCoversBothTransports(t *testing.T) {
	t.Parallel()
	s := newDirectEnv(t, func(config *server.Config) {
		config.Stateful = true
		config.LegacySSE = true
		config.Limits = guard.Limits{CallerStreams: 2}
	})
	raw := s.mint(fakeentra.Token{})
	_, header, _ := s.call(raw, initialize)
	session := header.Get("Mcp-Session-Id")
	open := func(address string, headers ...string) (*http.Response, func()) {
		ctx, cancel := context.WithCancel(t.Context())
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer "+raw)
		r.Header.Set("Accept", "text/event-stream")
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		resp, err := s.client.Do(r)
		require.NoError(t, err)
		return resp, func() {
			cancel()
			_ = resp.Body.Close()
		}
	}
	first, end := open(s.origin + server.SSEPath)
	defer end()
	require.Equal(t, http.StatusOK, first.StatusCode)
	second, end := open(s.server.Resource(), "Mcp-Session-Id", session)
	defer end()
	require.Equal(t, http.StatusOK, second.StatusCode)
	for address, headers := range map[string][]string{
		s.origin + server.SSEPath: nil,
		s.server.Resource():       {"Mcp-Session-Id", session},
	} {
		refused, end := open(address, headers...)
		assert.Equal(t, http.StatusTooManyRequests, refused.StatusCode, address)
		assert.Equal(t, "1", refused.Header.Get("Retry-After"))
		end()
	}
}
