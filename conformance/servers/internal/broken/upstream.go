package broken

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"

	"mcpentra/conformance/servers/internal/bench"
)

// Faults of what a server's tool sends on.
const (
	PassesTokensOn        Fault = "passes the caller's token on"
	PassesTokensInBodies  Fault = "passes the caller's token on in a body"
	TrustsTokensItSendsOn Fault = "sends on tokens that are good for itself"
)

// upstreamToken is the server's own, at what stands behind it.
const upstreamToken = "the.servers-own.token"

// callUpstream is what the tool does: it tells what stands behind the server of a marker, with the
// server's own token.
func (t *Server) callUpstream(ctx context.Context, inbound, marker string) error {
	token := upstreamToken
	note := ""
	switch {
	case t.has(PassesTokensOn):
		token = inbound
	case t.has(PassesTokensInBodies):
		note = inbound
	case t.has(TrustsTokensItSendsOn):
		var err error
		if token, err = t.good(); err != nil {
			return err
		}
	}
	body, err := json.Marshal(map[string]string{"marker": marker, "for": note})
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(
		ctx,
		http.MethodPost,
		t.origin+"/upstream",
		strings.NewReader(string(body)),
	)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := (&http.Client{Transport: t.transport}).Do(request)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

// maxForwarded bounds what is remembered of what came to the upstream.
const maxForwarded = 10_000

// serveUpstream is what stands behind the server. It remembers the latest requests.
func (t *Server) serveUpstream(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.forwarded = append(t.forwarded, bench.Forwarded{URL: r.URL.String(), Header: r.Header.Clone(), Body: body})
	t.forwarded = t.forwarded[max(0, len(t.forwarded)-maxForwarded):]
	w.WriteHeader(http.StatusNoContent)
}

// sentOn is what came to the upstream so far.
func (t *Server) sentOn() []bench.Forwarded {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]bench.Forwarded(nil), t.forwarded...)
}
