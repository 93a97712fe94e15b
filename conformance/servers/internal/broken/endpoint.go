package broken

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// The server's only tool takes a marker, counts, and repeats it.
const toolName = "count"

// What a server takes, in bytes and in time.
const (
	maxBody   = 1 << 20
	maxToken  = 16 << 10
	bodyLimit = 4 * time.Second
	// answerLimit is how long a caller may take to read an answer.
	answerLimit = 7 * time.Second
	// floodLimit is how many tokens with bad signatures a broken server bears.
	floodLimit = 400
)

// ran is how often the tool ran with a marker.
func (t *Server) ran(marker string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.runs[marker]
}

// run runs the tool.
func (t *Server) run(caller claims, marker string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.runs[marker]++
	t.tell(caller.Subject, marker)
	before := t.before
	t.before = marker
	if t.has(MixesAnswers) {
		return before
	}
	return marker
}

// serveEndpoint lets a request through the gates: Host, Origin, token and scope, message, session.
func (t *Server) serveEndpoint(w http.ResponseWriter, r *http.Request) {
	if !t.has(ChecksNoHost) && !t.isNamed(r.Host) {
		http.Error(w, "another host", http.StatusMisdirectedRequest)
		return
	}
	if origins := r.Header["Origin"]; len(origins) > 0 && !t.has(ChecksNoOrigin) &&
		(len(origins) > 1 || origins[0] != t.origin) {
		http.Error(w, "foreign origin", http.StatusForbidden)
		return
	}
	if !slices.Contains([]string{http.MethodGet, http.MethodPost, http.MethodDelete}, r.Method) {
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	if !t.has(WaitsForEver) {
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyLimit))
	}
	if t.has(GoesThroughTextsAgain) {
		goThroughAgain(r.Context(), r.Header.Get("Accept"))
	}
	if t.has(ReadsBodiesFirst) && r.Header.Get("Authorization") == "" {
		_, _ = io.CopyN(io.Discard, r.Body, maxBody)
	}
	if t.takesHandle(w, r) {
		return
	}
	if t.has(TakesTokensInTrailers) && r.Header["Authorization"] == nil {
		t.takeTrailers(r)
	}
	caller, allowed := t.authenticate(w, r)
	if !allowed {
		// Only where nothing but the token is wrong, or every other check would see it too.
		if presented := t.readCredentials(r); t.has(RunsBeforeItAsks) && presented.token == "this.is.not-a-token" &&
			r.URL.RawQuery == "" {
			body, _ := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
			if early, err := t.decodeMessage(body); err == nil && early.Method == "tools/call" {
				t.run(claims{}, early.Params.Arguments.Marker)
			}
		}
		return
	}
	// The other checks share connections, and would all stumble over a connection that is
	// remembered.
	connectionOf(r).served.Store(r.Header.Get("Connection") == "keep-alive")
	w.Header().Set("Cache-Control", "no-store")
	if t.has(IsCacheable) {
		w.Header().Set("Cache-Control", "public, max-age=60")
	}
	switch r.Method {
	case http.MethodPost:
		t.servePost(w, r, caller)
	case http.MethodGet, http.MethodDelete:
		if t.has(SpeaksNewestOnly) {
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		if r.Method == http.MethodDelete {
			t.endSession(w, r, caller)
			return
		}
		t.serveStream(w, r, caller)
	}
}

// goThroughAgain takes as long as a parser that goes through a text once for each of its commas, at
// 10 ns a byte. It waits for that time: work would take a busy machine longer, and all other work
// with it, so that nothing stands out.
func goThroughAgain(ctx context.Context, text string) {
	select {
	case <-time.After(10 * time.Nanosecond * time.Duration(len(text)*strings.Count(text, ","))):
	case <-ctx.Done():
	}
}

// takeTrailers reads the body, and takes the token behind it for one in front.
func (t *Server) takeTrailers(r *http.Request) {
	body, _ := io.ReadAll(io.LimitReader(r.Body, maxBody))
	r.Body = io.NopCloser(bytes.NewReader(body))
	if token := r.Trailer.Get("Authorization"); token != "" {
		r.Header.Set("Authorization", token)
	}
}

// isNamed reports whether a host is the server's.
func (t *Server) isNamed(host string) bool {
	own := t.server.Listener.Addr().String()
	name := strings.Replace(own, "127.0.0.1", "localhost", 1)
	return host == own || host == name || strings.EqualFold(host, name) && !t.has(ComparesHostsByCase)
}

// authenticate finds out who calls, or refuses.
func (t *Server) authenticate(w http.ResponseWriter, r *http.Request) (caller claims, allowed bool) {
	presented := t.readCredentials(r)
	if len(presented.token) > maxToken {
		if t.has(TakesAnyHeader) {
			w.WriteHeader(http.StatusInternalServerError)
			return caller, false
		}
		presented.malformed = true
	}
	if t.has(LogsTokens) {
		t.logf("token %s", presented.token)
	}
	if t.has(RefusesAllUnderFlood) && t.refused.Load() > floodLimit {
		w.WriteHeader(http.StatusServiceUnavailable)
		return caller, false
	}
	if t.breaksOn(presented.token) {
		w.WriteHeader(http.StatusInternalServerError)
		return caller, false
	}
	if presented.token != "" && !t.hasKeys() {
		w.WriteHeader(http.StatusServiceUnavailable)
		return caller, false
	}
	if !presented.malformed && presented.token != "" {
		caller, allowed = t.verify(presented.token, t.has(SessionsOutliveTokens) &&
			r.Header.Get("Mcp-Session-Id") != "")
		if !allowed && r.Method == http.MethodGet && t.has(ReopensEndedStreams) {
			caller, allowed = t.verify(presented.token, true)
			allowed = allowed && caller.Expiry != nil && time.Since(caller.Expiry.Time()) < time.Minute
		}
	}
	switch {
	case t.waved(r):
		return caller, true
	case presented.malformed:
		t.challenge(w, r, http.StatusUnauthorized, "invalid_request", presented.token)
		return caller, false
	case t.has(RefusesEverybody) || !allowed:
		code := ""
		if presented.token != "" {
			code = "invalid_token"
		}
		t.challenge(w, r, http.StatusUnauthorized, code, presented.token)
		return caller, false
	case !t.mayCall(&caller) && !t.has(EnforcesNoScope) && !t.has(GatesToolsOnly):
		status := http.StatusForbidden
		if t.has(RefusesScopeWith401) {
			status = http.StatusUnauthorized
		}
		t.challenge(w, r, status, "insufficient_scope", presented.token)
		return caller, false
	}
	return caller, true
}

// servePost takes one message.
func (t *Server) servePost(w http.ResponseWriter, r *http.Request, caller claims) {
	if !t.isJSON(r) {
		http.Error(w, "not JSON", http.StatusUnsupportedMediaType)
		return
	}
	body, err := t.readBody(w, r)
	if err != nil {
		status := http.StatusBadRequest
		if tooLong := (*http.MaxBytesError)(nil); errors.As(err, &tooLong) {
			status = http.StatusRequestEntityTooLarge
			if t.has(TakesAnyBody) || t.has(TakesAnyBodyInFrames) && r.ProtoMajor == 2 {
				status = http.StatusInternalServerError
			}
		}
		http.Error(w, "too long, or too slow", status)
		return
	}
	request, err := t.decodeMessage(body)
	if err != nil || request.Method == "" {
		http.Error(w, "not a message", http.StatusBadRequest)
		return
	}
	if len(r.Trailer) > 0 && t.has(RunsAgainWithTrailers) && request.Method == "tools/call" {
		t.run(caller, request.Params.Arguments.Marker)
	}
	revision := r.Header.Get("Mcp-Protocol-Version")
	switch {
	case revision != "" && !slices.Contains(revisions, revision) && !t.has(ChecksNoVersion):
		fail(w, http.StatusBadRequest, request, -32022, "unsupported")
	case revision == newest || request.Params.Meta.Revision != "":
		t.answerModern(w, r, caller, request)
	case t.speaksNewestOnly():
		fail(w, http.StatusBadRequest, request, -32022, "unsupported")
	case request.Method == "initialize":
		t.beginSession(w, r, caller, request.Params.Revision)
		respond(w, request, map[string]any{"protocolVersion": request.Params.Revision})
	default:
		joined := t.joinSession(w, r, caller)
		switch {
		case joined == nil:
		case revision == "" && t.has(WantsVersion) && joined.revision != "2025-03-26":
			http.Error(w, "no MCP-Protocol-Version", http.StatusBadRequest)
		default:
			t.answer(w, r, caller, request, http.StatusOK)
		}
	}
}

// readBody reads a bounded body, and what a broken server makes of a compressed one.
func (t *Server) readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // it has arrived
	if err != nil || r.Header.Get("Content-Encoding") != "gzip" || !t.has(SwallowsBombs) {
		return body, err
	}
	reader, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return body, nil
	}
	var whole []byte
	for piece := make([]byte, 1<<20); ; {
		n, err := io.ReadFull(reader, piece)
		text := piece[:n]
		if len(whole) == 0 {
			text = bytes.TrimLeft(text, " ") // a bomb is blanks, which take long to decode
		}
		whole = append(whole, text...)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return whole, nil
		} else if err != nil {
			return nil, err
		}
	}
}

// answerModern answers a request of 2026-07-28.
func (t *Server) answerModern(w http.ResponseWriter, r *http.Request, caller claims, request *message) {
	if t.has(SpeaksNoNewestRevision) {
		fail(w, http.StatusBadRequest, request, -32022, "unsupported")
		return
	}
	if !t.mirrored(r, request) {
		fail(w, http.StatusBadRequest, request, -32020, "headers and body differ")
		return
	}
	if t.has(MintsModernSessions) {
		w.Header().Set("Mcp-Session-Id", "modern")
	}
	status := http.StatusNotFound
	if t.has(AnswersUnknownWith200) {
		status = http.StatusOK
	}
	t.answer(w, r, caller, request, status)
}

// answer does what a message asks for. An unknown method is answered with the status.
func (t *Server) answer(w http.ResponseWriter, r *http.Request, caller claims, request *message, unknown int) {
	if len(request.ID) == 0 {
		w.WriteHeader(http.StatusAccepted)
		return
	}
	switch request.Method {
	case "server/discover":
		respond(w, request, map[string]any{"supportedVersions": revisions})
	case "ping":
		respond(w, request, map[string]any{})
	case "tools/list", "prompts/list", "resources/list":
		t.serveList(w, r, request, caller)
	case "resources/read":
		respond(w, request, map[string]any{"contents": []any{map[string]string{"uri": "file:///x", "text": "x"}}})
	case "completion/complete":
		respond(w, request, map[string]any{"completion": map[string]any{"values": []string{"x"}}})
	case "tasks/get", "tasks/result", "tasks/cancel", "tasks/list":
		t.answerTask(w, request, caller)
	case "tools/call":
		if t.has(GatesToolsOnly) && !t.mayCall(&caller) {
			t.challenge(w, r, http.StatusForbidden, "insufficient_scope", t.readCredentials(r).token)
			return
		}
		connectionOf(r).called.Store(true)
		switch request.Params.Name {
		case makeTool:
			respondText(w, request, t.makeState(caller), false)
			return
		case useTool:
			allowed := t.useState(caller, request.Params.Arguments.Handle)
			respondText(w, request, map[bool]string{true: "used", false: "no such handle"}[allowed], !allowed)
			return
		case askTool:
			t.ask(w, request, caller)
			return
		case taskTool:
			t.beginTask(w, request, caller)
			return
		case hiddenTool:
			t.runHidden(w, request, caller)
			return
		case whoamiTool:
			t.whoami(w, r, request, caller)
			return
		case toolName:
		default:
			fail(w, http.StatusOK, request, -32602, "no such tool")
			return
		}
		if err := t.callUpstream(r.Context(), t.readCredentials(r).token, request.Params.Arguments.Marker); err != nil {
			fail(w, http.StatusOK, request, -32603, "the upstream is away: "+err.Error())
			return
		}
		text := t.run(caller, request.Params.Arguments.Marker)
		respondText(w, request, text, false)
	default:
		fail(w, unknown, request, -32601, "no such method")
	}
}

func (t *Server) logf(format string, values ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	fmt.Fprintf(&t.log, format+"\n", values...)
}
