package guard

import (
	"net/http"
	"strings"
	"time"
)

// unsentBytes is how many bytes net/http buffers before it sends any: 2048 over HTTP/1, 4096 over
// HTTP/2.
const unsentBytes = 2048

// noStore is one slice for all answers.
var noStore = []string{"no-store"}

// An answerWriter is the http.ResponseWriter that the handler gets. Before the headers are sent, it
// removes those that only the guard may set, and seals the session ID.
type answerWriter struct {
	http.ResponseWriter
	admission *admission
	// own holds the headers that were set before the handler ran, by the guard or by a handler
	// around it.
	own         []ownHeader
	sessionless bool  // the request's revision has no sessions
	sent        bool  // the headers
	buffered    int   // how many bytes net/http has buffered at most
	waiting     entry // until the client sends or reads; it never has to do both
}

// ownHeader is a header that only the guard may set.
type ownHeader struct {
	name  string
	lines []string
}

// keepOwn remembers the guarded headers that are set so far.
func (w *answerWriter) keepOwn() {
	for name, lines := range w.Header() {
		if isGuarded(name) {
			w.own = append(w.own, ownHeader{name, lines[:len(lines):len(lines)]})
		}
	}
}

// isGuarded reports whether only the guard may set a header, because it decides who may read or
// store the answer. The guard sets no cookie, and no handler may: the cookies of this origin belong
// to the authorization server.
func isGuarded(name string) bool {
	switch name {
	case "Content-Type", sessionHeader: // what handlers set
		return false
	}
	name = http.CanonicalHeaderKey(name)
	switch name {
	case "Cache-Control", "Vary", "Set-Cookie":
		return true
	}
	return strings.HasPrefix(name, "Access-Control-")
}

func (w *answerWriter) WriteHeader(status int) {
	if status < http.StatusOK && status != http.StatusSwitchingProtocols {
		return // an informational answer would carry headers that were not checked
	}
	if !w.sent {
		w.sent = true
		w.finishHeader()
		w.admission.sessionAnswered(status)
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *answerWriter) Write(p []byte) (int, error) {
	if !w.sent {
		w.WriteHeader(http.StatusOK)
	}
	w.buffered += len(p)
	if w.buffered <= unsentBytes {
		return w.ResponseWriter.Write(p)
	}
	timeouts := &w.admission.guard.writeTimeouts
	timeouts.add(&w.waiting, time.Now())
	defer timeouts.remove(&w.waiting)
	return w.ResponseWriter.Write(p)
}

// Flush implements http.Flusher, which handlers look for before they answer with a stream. An error
// is not reported: without flushing, the answer only arrives later.
func (w *answerWriter) Flush() {
	if !w.sent {
		w.WriteHeader(http.StatusOK)
	}
	w.buffered = 0
	timeouts := &w.admission.guard.writeTimeouts
	timeouts.add(&w.waiting, time.Now())
	defer timeouts.remove(&w.waiting)
	_ = http.NewResponseController(w.ResponseWriter).Flush()
}

// end finishes the answer after the handler has returned.
func (w *answerWriter) end() {
	if !w.sent {
		w.finishHeader() // net/http sends it now
		w.admission.sessionAnswered(http.StatusOK)
	}
	header := w.Header()
	for name := range header {
		if trailer, found := strings.CutPrefix(name, http.TrailerPrefix); found && isGuardedTrailer(trailer) {
			delete(header, name)
		}
	}
}

// isGuardedTrailer reports whether the handler may not send a header as a trailer. The guard cannot
// seal the session ID in a trailer.
func isGuardedTrailer(name string) bool {
	return isGuarded(name) || http.CanonicalHeaderKey(name) == sessionHeader
}

// forget removes the headers of an answer that the handler did not send.
func (w *answerWriter) forget() {
	header := w.Header()
	for name := range header {
		if strings.HasPrefix(name, "Content-") || name == "Trailer" || name == sessionHeader {
			delete(header, name)
		}
	}
}

// Unwrap lets an http.ResponseController find the writer inside.
func (w *answerWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *answerWriter) finishHeader() {
	header := w.Header()
	for name := range header {
		if isGuarded(name) {
			delete(header, name)
		}
	}
	for _, own := range w.own {
		header[own.name] = own.lines
	}
	if announced := header["Trailer"]; announced != nil {
		delete(header, "Trailer")
		for name := range strings.SplitSeq(strings.Join(announced, ","), ",") {
			name = strings.TrimSpace(name)
			if !isGuardedTrailer(name) {
				header.Add("Trailer", name)
			}
		}
	}
	// Responses are private to the caller; caches must not store them.
	header["Cache-Control"] = noStore
	w.finishSession(header)
}

// finishSession seals the session ID that the handler gave. In a revision without sessions it
// removes the ID, but still counts the session.
func (w *answerWriter) finishSession(header http.Header) {
	lines := header[sessionHeader]
	if len(lines) == 0 {
		return
	}
	delete(header, sessionHeader)
	valid := isSessionID(lines[0])
	switch {
	case w.sessionless && valid:
		w.admission.sessionOpened(lines[0])
	case w.sessionless:
	case len(lines) > 1 || !valid:
		w.admission.guard.log.Error("the handler's session id is not one line of visible ASCII, so it is left out")
	default:
		w.admission.sessionOpened(lines[0])
		header[sessionHeader] = []string{w.admission.guard.sealSession(w.admission.caller, lines[0])}
	}
}
