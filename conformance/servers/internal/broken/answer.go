package broken

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"slices"
	"time"
)

// servePost serves one message.
func (s *Server) servePost(w http.ResponseWriter, r *http.Request, caller claims) {
	if !s.isJSON(r) {
		http.Error(w, "not JSON", http.StatusUnsupportedMediaType)
		return
	}
	body, err := s.readBody(w, r)
	if err != nil {
		status := http.StatusBadRequest
		if tooLong := (*http.MaxBytesError)(nil); errors.As(err, &tooLong) {
			status = http.StatusRequestEntityTooLarge
			if s.has(BreaksOnLongBodies) || s.has(BreaksOnLongBodiesInFrames) && r.ProtoMajor == 2 {
				status = http.StatusInternalServerError
			}
		}
		http.Error(w, "too long, or too slow", status)
		return
	}
	request, err := s.decodeMessage(body)
	if s.has(HangsOnNesting) && bytes.HasPrefix(body, []byte("[[[[")) {
		<-r.Context().Done()
		return
	}
	if err != nil || request.Method == "" && !request.isResponse() {
		http.Error(w, "not a message", http.StatusBadRequest)
		return
	}
	if len(r.Trailer) > 0 && s.has(RunsAgainWithTrailers) && request.Method == "tools/call" {
		s.run(caller, request.Params.Arguments.Marker)
	}
	revision := r.Header.Get("Mcp-Protocol-Version")
	switch {
	case revision != "" && !slices.Contains(revisions, revision) && !s.has(ChecksNoVersion):
		fail(w, http.StatusBadRequest, request, -32022, "unsupported")
	case revision == newest || request.Params.Meta.Revision != "":
		s.answerModern(w, r, caller, request)
	case s.speaksNewestOnly():
		fail(w, http.StatusBadRequest, request, -32022, "unsupported")
	case request.Method == "initialize":
		s.beginSession(w, r, caller, request.Params.Revision)
		respond(w, request, map[string]any{
			"protocolVersion": request.Params.Revision,
			"serverInfo":      map[string]any{"name": serverName},
			"capabilities":    map[string]any{"tasks": map[string]any{"list": map[string]any{}}},
		})
	default:
		joined := s.takesForeign(r, request)
		if joined == nil {
			joined = s.joinSession(w, r, caller)
		}
		switch {
		case joined == nil:
		case revision == "" && s.has(RequiresVersion) && joined.revision != "2025-03-26":
			http.Error(w, "no MCP-Protocol-Version", http.StatusBadRequest)
		default:
			s.answer(w, r, caller, request, http.StatusOK)
		}
	}
}

// readBody reads a bounded body. A broken server decompresses it.
func (s *Server) readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // the body has arrived
	if err != nil || r.Header.Get("Content-Encoding") != "gzip" || !s.has(DecompressesBombs) {
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
			text = bytes.TrimLeft(text, " ") // a bomb starts with blanks, which take long to decode as JSON
		}
		whole = append(whole, text...)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return whole, nil
		} else if err != nil {
			return nil, err
		}
	}
}

// answerModern serves a message of 2026-07-28.
func (s *Server) answerModern(w http.ResponseWriter, r *http.Request, caller claims, request *message) {
	if s.has(SpeaksNoNewestRevision) {
		fail(w, http.StatusBadRequest, request, -32022, "unsupported")
		return
	}
	if !s.isMirrored(r, request) {
		fail(w, http.StatusBadRequest, request, -32020, "headers and body differ")
		return
	}
	if s.has(RefusesModernSessions) && r.Header.Get("Mcp-Session-Id") != "" {
		fail(w, http.StatusNotFound, request, -32600, "unknown session")
		return
	}
	if s.has(StartsModernSessions) {
		w.Header().Set("Mcp-Session-Id", "modern")
	}
	status := http.StatusNotFound
	if s.has(AnswersUnknownWith200) {
		status = http.StatusOK
	}
	s.answer(w, r, caller, request, status)
}

// answer serves a message. An unknown method is answered with the status.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, caller claims, request *message, unknown int) {
	if len(request.ID) == 0 || request.isResponse() {
		w.WriteHeader(http.StatusAccepted)
		return
	}
	switch request.Method {
	case "server/discover":
		respond(w, request, map[string]any{"supportedVersions": revisions})
	case "ping", "logging/setLevel":
		if s.has(AnswersPingsSlowly) {
			pause(r.Context(), 100*time.Millisecond)
		}
		respond(w, request, map[string]any{})
	case "tools/list", "prompts/list", "resources/list":
		s.serveList(w, r, request, caller)
	case "resources/read":
		s.readResource(w, request)
	case "completion/complete":
		respond(w, request, map[string]any{"completion": map[string]any{"values": []string{"x"}}})
	case "tasks/get", "tasks/result", "tasks/cancel", "tasks/list":
		s.answerTask(w, request, caller)
	case "tools/call":
		if s.has(GatesToolsOnly) && !s.mayCall(&caller) {
			s.challenge(w, r, http.StatusForbidden, "insufficient_scope", s.readCredentials(r).token)
			return
		}
		connectionOf(r).called.Store(true)
		s.callTool(w, r, caller, request)
	default:
		fail(w, unknown, request, -32601, "unknown method")
	}
}

// callTool runs a tool.
func (s *Server) callTool(w http.ResponseWriter, r *http.Request, caller claims, request *message) {
	switch request.Params.Name {
	case toolName:
		marker := request.Params.Arguments.Marker
		if err := s.callUpstream(r.Context(), s.readCredentials(r).token, marker); err != nil {
			fail(w, http.StatusOK, request, -32603, "the upstream is unreachable: "+err.Error())
			return
		}
		if s.has(SendsTokensInEvents) {
			s.mu.Lock()
			s.sendEvent(caller.Subject, "called with "+s.readCredentials(r).token)
			s.mu.Unlock()
		}
		text := s.run(caller, marker)
		if request.Params.Meta.LogLevel != "" {
			s.respondWithLog(w, r, request, text)
			return
		}
		respondText(w, request, text, false)
	case makeTool:
		respondText(w, request, s.makeState(caller), false)
	case useTool:
		if !s.useState(caller, request.Params.Arguments.Handle) {
			respondText(w, request, "unknown handle", true)
			return
		}
		respondText(w, request, "used", false)
	case askTool:
		s.ask(w, request, caller)
	case taskTool:
		s.beginTask(w, request, caller)
	case hiddenTool:
		s.runHidden(w, request, caller)
	case whoamiTool:
		s.whoami(w, r, request, caller)
	default:
		fail(w, http.StatusOK, request, -32602, "unknown tool")
	}
}
