package guard

import (
	"net/http"
	"strings"
	"time"
)

// A refusal is an answer that the guard gives in place of the handler.
type refusal struct {
	status      int
	challenge   bool
	code        string // an OAuth error code
	description string
	retryAfter  time.Duration
	cause
}

// A cause is what the log tells of a refusal.
type cause struct {
	reason  string
	seen    string // what came in place of what was expected; never a credential
	setting string // the key of .env that would allow it
}

// maxSeen bounds what a log line repeats of a caller's text, in bytes.
const maxSeen = 200

// logRefusal writes the one line that every refusal leaves.
func (g *Guard) logRefusal(r *http.Request, status int, why cause) {
	attributes := []any{
		"status", status, "reason", why.reason, "method", clip(r.Method), "path", clip(r.URL.Path),
		"address", g.proxies.Address(r).String(),
	}
	if why.seen != "" {
		attributes = append(attributes, "seen", clip(why.seen))
	}
	if why.setting != "" {
		attributes = append(attributes, "setting", why.setting)
	}
	g.log.InfoContext(r.Context(), "refused", attributes...)
}

// clip shortens a caller's text for the log, whose handler escapes it.
func clip(text string) string {
	if len(text) <= maxSeen {
		return text
	}
	return strings.ToValidUTF8(text[:maxSeen], "") + "…"
}
