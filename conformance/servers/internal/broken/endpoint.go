package broken

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// toolName is the tool that counts its markers and repeats them.
const toolName = "count"

// The limits of a server: sizes are in bytes.
const (
	maxBody   = 1 << 20
	maxToken  = 16 << 10
	bodyLimit = 7 * time.Second
	// answerLimit is how long a caller may take to read an answer.
	answerLimit = 7 * time.Second
	// floodLimit is how many tokens with bad signatures a broken server survives.
	floodLimit = 400
)

// ran returns how often the tool ran with a marker.
func (s *Server) ran(marker string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.runs[marker]
}

// run runs the tool.
func (s *Server) run(caller claims, marker string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.runs[marker]++
	s.sendEvent(caller.Subject, marker)
	before := s.lastMarker
	s.lastMarker = marker
	if s.has(MixesAnswers) {
		return before
	}
	return marker
}

// serveEndpoint checks the Host, the Origin, the token with its scope, the message and the session,
// in this order.
func (s *Server) serveEndpoint(w http.ResponseWriter, r *http.Request) {
	if s.has(HidesMetadataFromOthers) && !s.isNamed(r.Host) && r.Header.Get("Authorization") == "" {
		s.challenge(w, r, http.StatusUnauthorized, "", "")
		return
	}
	if origin := r.Header.Get("Origin"); origin != "" && s.has(ReflectsOrigins) {
		w.Header().Set("Access-Control-Allow-Origin", origin)
		w.Header().Set("Access-Control-Allow-Credentials", "true")
	}
	isRebound := s.has(ComparesOriginsWithHost) && r.Header.Get("Origin") == "http://"+r.Host
	if !s.has(ChecksNoHost) && !s.isNamed(r.Host) && !isRebound {
		http.Error(w, "another host", http.StatusMisdirectedRequest)
		return
	}
	isUnchecked := s.has(ChecksOriginsSince2025) && r.Header.Get("Mcp-Protocol-Version") < "2025-11-25" ||
		s.allowsOrigin(r)
	if !s.has(ChecksNoOrigin) && !isUnchecked && !s.isKnownPage(r.Header["Origin"]) {
		http.Error(w, "foreign origin", http.StatusForbidden)
		return
	}
	if s.refusesMethod(w, r) {
		return
	}
	if !s.has(WaitsForSlowRequests) {
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyLimit))
	}
	if s.has(ParsesInQuadraticTime) {
		scanQuadratically(r.Context(), r.Header.Get("Accept"))
	}
	if s.has(ParsesSlowly) {
		parseSlowly(r.Context(), r.Header.Get("Accept"))
	}
	if s.has(ReadsBodiesFirst) && r.Header.Get("Authorization") == "" {
		_, _ = io.CopyN(io.Discard, r.Body, maxBody)
	}
	if s.acceptsHandle(w, r) || s.serveEarly(w, r) {
		return
	}
	if s.has(AcceptsTokensInTrailers) && r.Header["Authorization"] == nil {
		s.mergeTrailers(r)
	}
	caller, allowed := s.authenticate(w, r)
	if !allowed {
		// The fault shows only with one bad token, so that other checks do not see it.
		if presented := s.readCredentials(r); s.has(RunsBeforeTokenCheck) && presented.token == "this.is.not-a-token" &&
			r.URL.RawQuery == "" {
			body, _ := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
			if early, err := s.decodeMessage(body); err == nil && early.Method == "tools/call" {
				s.run(claims{}, early.Params.Arguments.Marker)
			}
		}
		return
	}
	// Other checks share their connections. They would fail on a remembered one.
	connectionOf(r).served.Store(r.Header.Get("Connection") == "keep-alive")
	s.echo(w, s.readCredentials(r).token, true)
	w.Header().Set("Cache-Control", "no-store")
	if s.has(MarksAnswersPublic) {
		w.Header().Set("Cache-Control", "public, max-age=60")
	}
	switch r.Method {
	case http.MethodPost:
		s.servePost(w, r, caller)
	case http.MethodGet, http.MethodDelete:
		if s.speaksNewestOnly() && !s.has(StreamsInNewestOnly) {
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		if r.Method == http.MethodDelete {
			s.endSession(w, r, caller)
			return
		}
		s.serveStream(w, r, caller)
	}
}

// scanQuadratically takes as long as a parser that scans a text once for each of its commas, at 10
// ns a byte. It waits for that time. Real work would slow the whole machine down, and the harmless
// text with it.
func scanQuadratically(ctx context.Context, text string) {
	pause(ctx, 10*time.Nanosecond*time.Duration(len(text)*strings.Count(text, ",")))
}

// mergeTrailers reads the body, and moves a token from the trailer fields into the headers.
func (s *Server) mergeTrailers(r *http.Request) {
	body, _ := io.ReadAll(io.LimitReader(r.Body, maxBody))
	r.Body = io.NopCloser(bytes.NewReader(body))
	if token := r.Trailer.Get("Authorization"); token != "" {
		r.Header.Set("Authorization", token)
	}
}

// isKnownPage reports whether a request comes from no page, or from one that may call the server.
func (s *Server) isKnownPage(origins []string) bool {
	switch {
	case len(origins) == 0:
		return true
	case len(origins) > 1:
		return false
	}
	return origins[0] == s.origin || s.has(AllowsOwnPages) && isOwnPage(origins[0])
}

// isNamed reports whether a host is the server's.
func (s *Server) isNamed(host string) bool {
	own := s.server.Listener.Addr().String()
	name := strings.Replace(own, "127.0.0.1", "localhost", 1)
	return host == own || host == name || s.has(HasManyAddresses) && s.isOwnAddress(host) ||
		strings.EqualFold(host, name) && !s.has(ComparesHostsByCase)
}

// authenticate identifies the caller, or refuses the request.
func (s *Server) authenticate(w http.ResponseWriter, r *http.Request) (caller claims, allowed bool) {
	presented := s.readCredentials(r)
	if len(presented.token) > maxToken {
		if s.has(BreaksOnLongHeaders) {
			w.WriteHeader(http.StatusInternalServerError)
			return caller, false
		}
		presented.malformed = true
	}
	if s.has(LogsTokens) {
		s.logf("token %s", presented.token)
	}
	if s.has(RefusesAllUnderFlood) && s.refused.Load() > floodLimit {
		w.WriteHeader(http.StatusServiceUnavailable)
		return caller, false
	}
	if s.breaksOn(presented.token) {
		w.WriteHeader(http.StatusInternalServerError)
		return caller, false
	}
	if presented.token != "" && !s.hasKeys() {
		w.WriteHeader(http.StatusServiceUnavailable)
		return caller, false
	}
	if !presented.malformed && presented.token != "" {
		caller, allowed = s.verify(presented.token, s.has(SessionsOutliveTokens) &&
			r.Header.Get("Mcp-Session-Id") != "" || s.has(KeepsTokens) && s.isTokenOf(r, presented.token))
		if !allowed && r.Method == http.MethodGet && s.has(ReopensEndedStreams) {
			caller, allowed = s.verify(presented.token, true)
			allowed = allowed && caller.Expiry != nil && time.Since(caller.Expiry.Time()) < time.Minute
		}
	}
	switch {
	case s.has(AsksForKey):
		w.WriteHeader(http.StatusForbidden)
		return caller, false
	case s.letsPass(r):
		return caller, true
	case s.has(BreaksOnBadTokens) && presented.token != "" && !allowed:
		w.WriteHeader(http.StatusInternalServerError)
		return caller, false
	case presented.malformed:
		s.challenge(w, r, http.StatusUnauthorized, "invalid_request", presented.token)
		return caller, false
	case s.has(RefusesAllTokens) || !allowed:
		code := ""
		if presented.token != "" {
			code = "invalid_token"
		}
		s.challenge(w, r, http.StatusUnauthorized, code, presented.token)
		return caller, false
	case !s.mayCall(&caller) && !s.needsNoScope(r):
		status := http.StatusForbidden
		if s.has(RefusesScopeWith401) {
			status = http.StatusUnauthorized
		}
		s.challenge(w, r, status, "insufficient_scope", presented.token)
		return caller, false
	}
	return caller, true
}

func (s *Server) logf(format string, values ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(&s.log, format+"\n", values...)
}
