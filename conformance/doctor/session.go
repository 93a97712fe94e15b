package doctor

import (
	"context"
	"errors"
	"net/http"
)

// sessionStep is the name of the step that needs a token.
const sessionStep = "session"

// unknownRevision looks like a revision, and MCP has none of this date.
const unknownRevision = "1900-01-01"

// A session is what the step session collects. It needs a token.
type session struct {
	w       *walk
	first   *answer // to initialize
	list    *answer // to tools/list in the session
	unknown *answer // to tools/list of an unknown revision
	stream  *answer // to GET, without its events
}

// session sends messages with the token, and opens an event stream.
func (w *walk) session(ctx context.Context, step *Step) bool {
	w.secrets.Add(w.config.Token)
	if !w.isSafeForTokens() {
		step.fine("token-not-sent", "others could read the token on the way to the server, so the walk keeps it")
		return true
	}
	seen := &session{w: w}
	address := w.endpoint.String()
	header := http.Header{"Authorization": {"Bearer " + w.config.Token}}
	seen.first = w.message(ctx, address, initialize, header)
	step.did("POST initialize with the token: %s", w.says(seen.first))
	if seen.isServed() {
		if id := seen.first.header.Get("Mcp-Session-Id"); id != "" {
			header.Set("Mcp-Session-Id", id)
		}
		seen.list = w.message(ctx, address, listTools, header)
		step.did("POST tools/list: %s", w.says(seen.list))
		seen.stream = w.openStream(ctx, header)
		step.did("GET an event stream: %s", w.says(seen.stream))
		odd := header.Clone()
		odd.Set("Mcp-Protocol-Version", unknownRevision)
		seen.unknown = w.message(ctx, address, listTools, odd)
		step.did("POST tools/list of revision %s: %s", unknownRevision, w.says(seen.unknown))
	}
	diagnose(step, seen, sessionSymptoms)
	step.fine("session-works", "with a token, messages and streams pass")
	return true
}

// isSafeForTokens reports whether only the server can read what the walk sends: over TLS with a
// good certificate, or on this machine.
func (w *walk) isSafeForTokens() bool {
	if w.endpoint.Scheme == "https" {
		return w.network.skipped == ""
	}
	return w.network.known && w.network.zone == machine
}

// openStream asks for an event stream and returns its head. It reads no events, because a good
// stream may have none for a long time.
func (w *walk) openStream(ctx context.Context, header http.Header) *answer {
	ctx, cancel := context.WithTimeout(ctx, w.config.Patience)
	defer cancel()
	a := &answer{address: w.endpoint.String(), header: http.Header{}}
	w.requests++
	if w.requests > mostRequests {
		a.err = errTooMany
		return a
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, a.address, nil)
	if err != nil {
		a.err = err
		return a
	}
	request.Header = header.Clone()
	request.Header.Set("Accept", "text/event-stream")
	request.Header.Set("Accept-Encoding", "gzip, br, zstd")
	request.Header.Set("Mcp-Protocol-Version", revision)
	response, err := w.client.Do(request)
	if err != nil {
		a.err = err
		return a
	}
	defer response.Body.Close()
	a.status = response.StatusCode
	a.header = response.Header
	return a
}

func (s *session) isServed() bool { return s.first.status/100 == 2 && isMessage(s.first) }

var sessionSymptoms = []symptom[*session]{
	{
		code:    "token-refused",
		kind:    Fault,
		seen:    (*session).seesRefusal,
		why:     "The token has expired, is for another resource, or does not reach the server.",
		effects: everyClient("they sign in again and again"),
		fixes:   fixToken,
	},
	{
		code: "session-header-dropped",
		kind: Fault,
		seen: (*session).seesNoSession,
		why: "A server with sessions names the session in Mcp-Session-Id, and wants the header in each further " +
			"request. The proxy removes it on one of the two ways.",
		effects: everyClient("they connect, and each further request fails"),
		fixes:   fixSessionHeader,
	},
	{
		code: "version-dropped",
		kind: Fault,
		seen: (*session).seesNoVersion,
		why: "MCP wants 400 for an unknown revision. The header MCP-Protocol-Version does not reach the server, or " +
			"the server does not read it. The server then takes each client for one of an old revision.",
		effects: []Effect{
			{"clients of 2025-06-18 and later", "the server answers in the form of another revision"},
		},
		fixes: fixVersion,
	},
	{
		code: "stream-held-back",
		kind: Fault,
		seen: (*session).seesHeldStream,
		why: "The proxy collects the answer before it passes it on, or compresses it. An event stream never ends, so " +
			"its events come late or not at all.",
		effects: []Effect{
			{"VS Code, Cursor, Inspector", "they wait for the stream, and show no progress and no changed tools"},
			{"Claude, Codex, Gemini CLI, Copilot", "calls that take long end with a timeout"},
		},
		fixes: fixHeldStream,
	},
}

func (s *session) seesRefusal() string {
	if s.first.status != http.StatusUnauthorized && s.first.status != http.StatusForbidden {
		return ""
	}
	return "initialize with the token gets " + s.w.says(s.first)
}

func (s *session) seesNoSession() string {
	if s.list == nil || s.list.status != http.StatusBadRequest && s.list.status != http.StatusNotFound {
		return ""
	}
	return "initialize is served, and the next message gets " + s.w.says(s.list)
}

func (s *session) seesNoVersion() string {
	if s.unknown == nil || s.unknown.status/100 != 2 || s.seesNoSession() != "" {
		return ""
	}
	return "a message of the unknown revision " + unknownRevision + " is served"
}

func (s *session) seesHeldStream() string {
	if s.stream == nil || !errors.Is(s.stream.err, context.DeadlineExceeded) {
		return ""
	}
	return "the head of the event stream does not come within " + s.w.config.Patience.String()
}

func fixToken(*session) []Fix {
	return []Fix{
		{ClientSetting, "the file of the token", "write an access token for this server that has not expired"},
		nginxFix("proxy_set_header Authorization $http_authorization;"),
	}
}

func fixSessionHeader(*session) []Fix {
	return []Fix{
		nginxFix("# remove proxy_hide_header Mcp-Session-Id", "proxy_set_header Mcp-Session-Id $http_mcp_session_id;"),
		caddyFix("reverse_proxy localhost:8000   # without header_up and header_down for Mcp-Session-Id"),
	}
}

func fixVersion(*session) []Fix {
	return []Fix{
		nginxFix("proxy_set_header MCP-Protocol-Version $http_mcp_protocol_version;"),
		caddyFix("reverse_proxy localhost:8000   # without header_up -MCP-Protocol-Version"),
		codeFix("answer 400 to a message with an unknown MCP-Protocol-Version"),
	}
}

func fixHeldStream(*session) []Fix {
	return []Fix{
		nginxFix("proxy_buffering off;", "gzip off;", "proxy_read_timeout 1h;"),
		caddyFix("reverse_proxy localhost:8000   # without encode"),
		codeFix("send X-Accel-Buffering: no with each event stream"),
	}
}
