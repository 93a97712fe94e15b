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

	settingClientLimit = "MCP_CLIENT_REQUESTS_PER_MINUTE"
	settingGuesses     = "MCP_WRONG_CREDENTIALS_PER_MINUTE, or MCP_TRUSTED_PROXIES for clients behind one proxy"
	settingFetches     = "MCP_FETCHES_AT_ONCE, or " + settingLimit

	settingClientFile            = "AUTH_CLIENTS_FILE"
	settingResources             = "AUTH_RESOURCES_FILE"
	settingAssertionAudience     = "AUTH_ASSERTION_AUDIENCE"
	settingPrivateUse            = "AUTH_PRIVATE_USE_REDIRECTS"
	settingRegistration          = "AUTH_REGISTRATION"
	settingRegistrationRedirects = "AUTH_REGISTRATION_REDIRECTS"
)

// A sight is a value that came in place of the expected one. It is never a token, code, secret,
// verifier or cookie.
type sight struct{ name, value string }

// logRefusal writes the one line that every refusal leaves: the reason, the client's address, the
// values that came, and the key of .env that would allow the request.
func (b *Broker) logRefusal(r *http.Request, problem *protocolError) {
	attributes := []any{
		"path", clip(r.URL.Path),
		"status", problem.status,
		"error", problem.code,
		"reason", problem.reason(),
		"address", b.address(r).String(),
	}
	for _, seen := range problem.seen {
		if seen.value != "" {
			attributes = append(attributes, seen.name, clip(seen.value))
		}
	}
	if problem.setting != "" {
		attributes = append(attributes, "setting", problem.setting)
	}
	level := slog.LevelInfo
	if problem.grave {
		level = slog.LevelWarn
	} else if problem.routine {
		level = slog.LevelDebug
	}
	b.log.Log(r.Context(), level, "refused", attributes...)
}

func (e *protocolError) reason() string {
	if e.why != "" {
		return clipped(e.why, maxReason)
	}
	return e.description
}

// maxSeen and maxReason bound the text of a caller and of Entra in a log line, in bytes.
const (
	maxSeen   = 200
	maxReason = 600
)

// clip shortens a caller's text for the log. The log's handler escapes it.
func clip(text string) string { return clipped(text, maxSeen) }

func clipped(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}

func seenURLs(uris []string) string {
	var seen []string
	for _, uri := range uris {
		seen = append(seen, seenURL(uri))
	}
	return strings.Join(seen, " ")
}

// seenURL prepares a caller's URL for the log. It hides user information, query and fragment,
// because they may hold secrets.
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
