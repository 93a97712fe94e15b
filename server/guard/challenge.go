package guard

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
)

// challenge is what WWW-Authenticate says each time (RFC 6750 section 3, RFC 9728 section 5.1).
// Both values were checked when the guard was made: nothing in them needs escaping.
type challenge struct {
	metadata, scope string
}

// header is the challenge with an error code, or without where no credentials were sent (RFC 6750
// section 3.1).
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

// defaultRetry is what a 503 asks for when nobody said how long it lasts.
const defaultRetry = 5 * time.Second

func (g *Guard) refuse(w http.ResponseWriter, r *http.Request, refused refusal) {
	g.logRefusal(r, refused.status, refused.cause)
	header := w.Header()
	if refused.challenge {
		challenge := g.challenge
		if g.slashed.path != "" && r.URL.Path == g.slashed.path {
			challenge.metadata += "/"
		}
		header.Set("WWW-Authenticate", challenge.header(refused.code, refused.description))
	}
	if refused.status == http.StatusServiceUnavailable {
		header.Set("Retry-After", retrySeconds(refused.retryAfter))
	}
	header["Cache-Control"] = noStore
	if r.ContentLength != 0 && header.Get("Connection") != "close" {
		// What is left of the body net/http reads before it answers, and takes the deadline back
		// before the next request.
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(g.reads.pause))
	}
	body := struct {
		Error       string `json:"error,omitzero"`
		Description string `json:"error_description"`
	}{refused.code, refused.description}
	switch {
	case refused.code != "":
	case refused.status == http.StatusServiceUnavailable:
		body.Error = "temporarily_unavailable"
	case refused.status != http.StatusUnauthorized:
		// Some clients take a JSON object without an error for an answer without content.
		body.Error = "invalid_request"
	}
	if refused.status == http.StatusUnauthorized {
		// A client whose requests go through a proxy of its own, such as MCP Inspector's, tells by
		// this word that it has to sign in.
		body.Description = "Unauthorized: " + refused.description
	}
	writeJSON(w, refused.status, body)
}

func retrySeconds(wait time.Duration) string {
	if wait <= 0 {
		wait = defaultRetry
	}
	return strconv.Itoa(int(math.Ceil(wait.Seconds())))
}

// writeJSON answers with a body that the guard itself has made, so it can be marshalled.
func writeJSON(w http.ResponseWriter, status int, body any) {
	encoded, err := json.Marshal(body)
	if err != nil {
		status = http.StatusInternalServerError
		encoded = []byte(`{}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(append(encoded, '\n')) // a client that is gone cannot be told
}
