package broker

import (
	"log/slog"
	"net/http"
	"net/url"
	"strings"
)

// The keys of .env that refusals name.
const (
	settingLimit  = "MCP_REGISTRATIONS_PER_MINUTE, or MCP_TRUSTED_PROXIES for clients behind one proxy"
	settingPublic = "MCP_PUBLIC_URL"
)

// refuse answers a client with an error, and logs why.
func (b *Broker) refuse(w http.ResponseWriter, r *http.Request, problem *protocolError) {
	b.logRefusal(r, problem)
	writeError(w, problem)
}

// logRefusal writes the one line that every refusal leaves: what was refused and why, from where,
// what was seen in place of what was expected, and the key of .env that would allow it, where there
// is one.
func (b *Broker) logRefusal(r *http.Request, problem *protocolError) {
	attributes := []any{
		"path", clip(r.URL.Path), "status", problem.status, "error", problem.code, "reason", problem.reason(),
		"address", b.address(r).String(),
	}
	for _, one := range problem.seen {
		if one.value != "" {
			attributes = append(attributes, one.name, clip(one.value))
		}
	}
	if problem.setting != "" {
		attributes = append(attributes, "setting", problem.setting)
	}
	level := slog.LevelInfo
	if problem.grave {
		level = slog.LevelWarn
	}
	b.log.Log(r.Context(), level, "refused", attributes...)
}

// A sight is a value that came in place of what was expected: never a token, code, secret, verifier
// or cookie.
type sight struct{ name, value string }

// saw adds a value to what the log tells.
func (e *protocolError) saw(name, value string) *protocolError {
	e.seen = append(e.seen, sight{name, value})
	return e
}

// allowedBy names the key of .env that would let the request pass.
func (e *protocolError) allowedBy(setting string) *protocolError {
	e.setting = setting
	return e
}

// described replaces what the caller is told.
func (e *protocolError) described(description string) *protocolError {
	e.description = description
	return e
}

// because tells the log more than the caller may hear.
func (e *protocolError) because(why string) *protocolError {
	e.why = why
	return e
}

// asWarning says that an operator should look at it.
func (e *protocolError) asWarning() *protocolError {
	e.grave = true
	return e
}

func (e *protocolError) reason() string {
	if e.why != "" {
		return clipped(e.why, maxReason)
	}
	return e.description
}

// maxSeen and maxReason bound what a log line repeats of a caller's text and of Entra's, in bytes.
const (
	maxSeen   = 200
	maxReason = 600
)

// clip shortens a caller's text for the log, whose handler escapes it.
func clip(text string) string { return clipped(text, maxSeen) }

func clipped(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}

func seenURLs(all []string) string {
	var seen []string
	for _, one := range all {
		seen = append(seen, seenURL(one))
	}
	return strings.Join(seen, " ")
}

// seenURL is a caller's URL for the log. User information, query and fragment may hold secrets.
func seenURL(text string) string {
	parsed, err := url.Parse(text)
	if err != nil {
		return "a URL that cannot be read"
	}
	if parsed.User != nil {
		parsed.User = url.User("…")
	}
	if parsed.RawQuery != "" {
		parsed.RawQuery = "…"
	}
	if parsed.Fragment != "" {
		parsed.Fragment = "…"
		parsed.RawFragment = "…"
	}
	if parsed.Opaque != "" {
		parsed.Opaque = "…"
	}
	readable, err := url.PathUnescape(parsed.String())
	if err != nil {
		return parsed.String()
	}
	return readable
}
