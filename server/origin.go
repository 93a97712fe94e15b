package server

import (
	"cmp"
	"encoding/json"
	"mime"
	"net/http"
	"strconv"
	"strings"
)

// handleOrigin answers at "/": with the front page for people, and else as the endpoint, if it is
// here.
func (s *Server) handleOrigin(w http.ResponseWriter, r *http.Request) {
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	switch {
	case s.path == "" && !(reads && r.Header.Get("Authorization") == "" && accepts(r, "text/html")):
		s.endpoint.ServeHTTP(w, r)
	case reads && (accepts(r, "text/html") || !accepts(r, "text/event-stream")):
		s.handleFrontPage(w, r)
	default:
		s.sayEndpoint(w, r)
	}
}

// sayEndpoint tells a client that was given the origin where the endpoint is.
func (s *Server) sayEndpoint(w http.ResponseWriter, r *http.Request) {
	s.misplaced.Do(func() {
		s.log.WarnContext(r.Context(), "a client takes the origin for the MCP endpoint: give it the endpoint's URL, "+
			"or set MCP_PATH=/ (said once)", "method", r.Method, "address", s.proxies.Address(r).String(),
			"endpoint", s.resource, "setting", "MCP_PATH")
	})
	header := w.Header()
	header.Set("Allow", "GET, HEAD")
	header.Set("Cache-Control", "no-store")
	header.Set("Content-Type", "application/json")
	header.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(http.StatusMethodNotAllowed)
	if r.Method == http.MethodHead {
		return
	}
	type problem struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	}
	_ = json.NewEncoder(w).Encode(struct { // a client that is gone cannot be told
		Version string  `json:"jsonrpc"`
		ID      *string `json:"id"`
		Error   problem `json:"error"`
	}{"2.0", nil, problem{-32600, "the MCP endpoint is not at this address, but at " + s.resource}})
}

// accepts reports whether a request names a media type that it takes, by its full name.
func accepts(r *http.Request, want string) bool {
	for _, line := range r.Header["Accept"] {
		for entry := range strings.SplitSeq(line, ",") {
			mediaType, parameters, err := mime.ParseMediaType(entry)
			if err != nil || mediaType != want {
				continue
			}
			quality, err := strconv.ParseFloat(cmp.Or(parameters["q"], "1"), 64)
			if err == nil && quality > 0 {
				return true
			}
		}
	}
	return false
}
