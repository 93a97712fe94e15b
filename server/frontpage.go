package server

import (
	_ "embed"
	"html/template"
	"net/http"
)

//go:embed frontpage.html
var frontPageText string

var frontPage = template.Must(template.New("front page").Parse(frontPageText))

// handleFrontPage serves the page that explains the server to a person with a browser, and how to
// connect a client.
func (s *Server) handleFrontPage(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set(
		"Content-Security-Policy",
		"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
	)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Cache-Control", "public, max-age=300")
	header.Set("Vary", "Accept, Authorization")
	content := struct {
		Name, Resource string
		Registers      bool
		Connections    []connection
	}{s.name, s.resource, s.registers, connections(s.resource)}
	if err := frontPage.Execute(w, content); err != nil {
		s.log.ErrorContext(r.Context(), "front page", "error", err)
	}
}
