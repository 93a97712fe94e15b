package bench_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/bench"
)

// start starts a server, and returns it as a target with a good token.
func start(t *testing.T, handler http.HandlerFunc) bench.Target {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return bench.Target{URL: server.URL + "/mcp", Tokens: tokens(bench.Good)}
}

// tokens returns suppliers of tokens whose text says their kind.
func tokens(kinds ...bench.TokenKind) map[bench.TokenKind]func(context.Context) (string, error) {
	suppliers := map[bench.TokenKind]func(context.Context) (string, error){}
	for _, kind := range kinds {
		suppliers[kind] = func(context.Context) (string, error) { return "secret-token-" + string(kind), nil }
	}
	return suppliers
}

// serveGood is a handler that accepts only the good token.
func serveGood(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer secret-token-good" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	serveResult(w, r)
}

// serveResult is a handler that answers every request with a result.
func serveResult(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(`{"jsonrpc":"2.0","id":1,"result":{}}`))
}

// speaking returns a handler that accepts the good token and speaks some revisions, the oldest
// first. Like old SDKs it refuses other values of MCP-Protocol-Version with 400.
func speaking(revisions ...check.Revision) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer secret-token-good" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		speak(w, r, revisions)
	}
}

// speak answers the first message of a client, and any other with an empty result.
func speak(w http.ResponseWriter, r *http.Request, revisions []check.Revision) {
	var message struct {
		Method string
		Params struct{ ProtocolVersion check.Revision }
	}
	_ = json.NewDecoder(r.Body).Decode(&message)
	version := check.Revision(r.Header.Get("Mcp-Protocol-Version"))
	result := map[string]any{}
	switch {
	case version != "" && !slices.Contains(revisions, version):
		http.Error(w, "unsupported protocol version", http.StatusBadRequest)
		return
	case message.Method == "initialize":
		result["protocolVersion"] = revisions[len(revisions)-1]
		if slices.Contains(revisions, message.Params.ProtocolVersion) {
			result["protocolVersion"] = message.Params.ProtocolVersion
		}
	case message.Method == "server/discover":
		result["supportedVersions"] = revisions
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"jsonrpc": "2.0", "id": 1, "result": result})
}

// serve returns a handler that answers every request with a status and a body.
func serve(status int, mediaType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", mediaType)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

// must returns a check of level MUST.
func must(run func(ctx context.Context, p *bench.Probe) error) bench.Check {
	return bench.Check{Rule: check.Rule{ID: "server/x", Level: check.Must}, Run: run}
}

// refuses returns a check that wants a token refused after the control.
func refuses(kind bench.TokenKind) bench.Check {
	return must(func(ctx context.Context, p *bench.Probe) error {
		if _, err := p.Control(ctx); err != nil {
			return err
		}
		bad, err := p.Token(ctx, kind)
		if err != nil {
			return err
		}
		_, err = p.WantRefused(ctx, bench.Request{Header: bench.Bearer(bad)})
		return err
	})
}
