package broken

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"

	"mcpentra/conformance/servers/internal/bench"
)

// Faults in the requests that a server's tool sends upstream.
const (
	PassesTokensOn         Fault = "forwards the caller's token"
	PassesTokensInBodies   Fault = "forwards the caller's token in a body"
	CopiesTokenIDs         Fault = "makes a token for its upstream from the caller's, with the same ID"
	SendsOwnTokensUpstream Fault = "sends tokens upstream that it accepts itself"
)

// upstreamToken is the server's own token for its upstream.
const upstreamToken = "the.servers-own.token"

// callUpstream is the work of the tool: it sends the marker upstream with the server's own token.
func (s *Server) callUpstream(ctx context.Context, inbound, marker string) error {
	token := upstreamToken
	note := ""
	switch {
	case s.has(PassesTokensOn):
		token = inbound
	case s.has(PassesTokensInBodies):
		note = inbound
	case s.has(CopiesTokenIDs):
		var err error
		good := func(context.Context) (string, error) { return inbound, nil }
		mint := bench.Remint(s.signingKey().Key, good)
		if token, err = mint(ctx, bench.Edits{Claims: forUpstream}); err != nil {
			return err
		}
	case s.has(SendsOwnTokensUpstream):
		var err error
		if token, err = s.goodToken(); err != nil {
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
		s.origin+"/upstream",
		strings.NewReader(string(body)),
	)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := (&http.Client{Transport: s.transport}).Do(request)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

func forUpstream(claims map[string]any) { claims["aud"] = "https://upstream.example" }

// maxForwarded bounds the number of upstream requests that are kept.
const maxForwarded = 10_000

// serveUpstream is the upstream. It keeps the latest requests.
func (s *Server) serveUpstream(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forwarded = append(s.forwarded, bench.Forwarded{URL: r.URL.String(), Header: r.Header.Clone(), Body: body})
	s.forwarded = s.forwarded[max(0, len(s.forwarded)-maxForwarded):]
	w.WriteHeader(http.StatusNoContent)
}

// forwardedRequests returns the requests that reached the upstream.
func (s *Server) forwardedRequests() []bench.Forwarded {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]bench.Forwarded(nil), s.forwarded...)
}
