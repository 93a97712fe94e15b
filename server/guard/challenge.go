package guard

import (
	"net/http"
	"strings"
)

// A challenge is the constant part of WWW-Authenticate (RFC 6750 section 3, RFC 9728 section 5.1).
// New has checked both values, so they need no escaping.
type challenge struct {
	metadata, scope string
}

// challengeFor names the metadata of the URL that the client used. A client may write a slash at
// the end of the resource.
func (g *Guard) challengeFor(r *http.Request) challenge {
	c := g.challenge
	if g.slashed.path != "" && r.URL.Path == g.slashed.path {
		c.metadata += "/"
	}
	return c
}

// header adds an error code. It is "" if the client sent no credentials (RFC 6750 section 3.1).
func (c challenge) header(code, description string) string {
	var b strings.Builder
	b.WriteString(`Bearer resource_metadata="` + c.metadata + `"`)
	if c.scope != "" {
		b.WriteString(`, scope="` + c.scope + `"`)
	}
	if code != "" {
		b.WriteString(`, error="` + code + `", error_description="` + description + `"`)
	}
	return b.String()
}
