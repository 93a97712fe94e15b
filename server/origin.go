package server

import (
	"cmp"
	"encoding/json"
	"mime"
	"net/http"
	"strconv"
	"strings"
)

// handleOrigin answers at "/": with the front page for browsers, and otherwise as the endpoint, if
// the endpoint is at the origin.
func (s *Server) handleOrigin(w http.ResponseWriter, r *http.Request) {
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	html := accepts(r, "text/html")
	fromBrowser := reads && html && r.Header.Get("Authorization") == ""
	switch {
	case s.path == "" && !fromBrowser:
		s.endpoint.ServeHTTP(w, r)
	case reads && (html || !accepts(r, "text/event-stream")):
		s.handleFrontPage(w, r)
	default:
		s.refuseOrigin(w, r)
	}
}

// refuseOrigin answers a client that uses the origin as the endpoint, and names the endpoint's URL.
func (s *Server) refuseOrigin(w http.ResponseWriter, r *http.Request) {
	s.warnOrigin.Do(func() {
		s.log.WarnContext(r.Context(), "a client uses the origin as the MCP endpoint: give it the endpoint's URL, "+
			"or set MCP_PATH=/ (logged once)", "method", r.Method, "address", s.proxies.Address(r).String(),
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
	_ = json.NewEncoder(w).Encode(struct {
		Version string  `json:"jsonrpc"`
		ID      *string `json:"id"`
		Error   problem `json:"error"`
	}{"2.0", nil, problem{-32600, "this is not the MCP endpoint: use " + s.resource}})
}

// accepts reports whether a request's Accept names a media type in full, with a quality above zero.
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
