package guard

import (
	"net/http"
	"strings"
	"time"
)

// heldBack is how much net/http keeps of an answer before it sends any: 2048 bytes over HTTP/1,
// 4096 over HTTP/2.
const heldBack = 2048

// noStore is shared by all answers.
var noStore = []string{"no-store"}

// answerWriter is the handler's way to the caller. When the headers are about to go, it seals the
// session id in them, and takes out what only the guard may say.
type answerWriter struct {
	http.ResponseWriter
	call *call
	// own are the headers that were set before the handler saw them, by the guard or whoever is in
	// front of it; sessionless says that there is no session to name.
	own         []ownHeader
	sessionless bool
	sent        bool  // the headers
	held        int   // how many bytes net/http holds back, at most
	waiting     place // for the caller to send or to read, which are never both waited for
}

// ownHeader is a header that the guard alone says.
type ownHeader struct {
	name  string
	lines []string
}

// keepOwn remembers what has been set so far, before the handler sees it.
func (a *answerWriter) keepOwn() {
	for name, lines := range a.Header() {
		if guardsHeader(name) {
			a.own = append(a.own, ownHeader{name, lines[:len(lines):len(lines)]})
		}
	}
}

// guardsHeader are the headers that the guard alone says: who may read the answer, and who may keep
// it. It sets no cookie, and nobody behind it may: the origin's cookies are the authorization
// server's.
func guardsHeader(name string) bool {
	switch name {
	case "Content-Type", sessionHeader: // what handlers set
		return false
	}
	switch name = http.CanonicalHeaderKey(name); name {
	case "Cache-Control", "Vary", "Set-Cookie":
		return true
	}
	return strings.HasPrefix(name, "Access-Control-")
}

func (a *answerWriter) WriteHeader(status int) {
	if status < http.StatusOK && status != http.StatusSwitchingProtocols {
		return // an informational answer would carry headers that nobody has looked at
	}
	if !a.sent {
		a.sent = true
		a.finishHeader()
		a.waiting.whose.sessionAnswered(status)
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *answerWriter) Write(p []byte) (int, error) {
	if !a.sent {
		a.WriteHeader(http.StatusOK)
	}
	if a.held += len(p); a.held <= heldBack {
		return a.ResponseWriter.Write(p)
	}
	writes := &a.call.guard.writes
	writes.enter(&a.waiting, time.Now())
	defer writes.leave(&a.waiting)
	return a.ResponseWriter.Write(p)
}

// Flush is what handlers look for that answer with a stream.
func (a *answerWriter) Flush() {
	if !a.sent {
		a.WriteHeader(http.StatusOK)
	}
	a.held = 0
	writes := &a.call.guard.writes
	writes.enter(&a.waiting, time.Now())
	defer writes.leave(&a.waiting)
	// A connection that cannot be flushed is one whose answers arrive late, not one without
	// answers.
	_ = http.NewResponseController(a.ResponseWriter).Flush()
}

// end finishes the answer once the handler has returned.
func (a *answerWriter) end() {
	if !a.sent {
		a.finishHeader() // net/http sends it now
		a.waiting.whose.sessionAnswered(http.StatusOK)
	}
	header := a.Header()
	for name := range header {
		if trailer, is := strings.CutPrefix(name, http.TrailerPrefix); is && guardsTrailer(trailer) {
			delete(header, name)
		}
	}
}

// guardsTrailer reports whether a header must not follow as a trailer, which goes as the handler
// wrote it.
func guardsTrailer(name string) bool {
	return guardsHeader(name) || http.CanonicalHeaderKey(name) == sessionHeader
}

// forget takes out what a handler has said of an answer that it did not give.
func (a *answerWriter) forget() {
	header := a.Header()
	for name := range header {
		if strings.HasPrefix(name, "Content-") || name == "Trailer" || name == sessionHeader {
			delete(header, name)
		}
	}
}

// Unwrap lets http.ResponseController find what is behind.
func (a *answerWriter) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (a *answerWriter) finishHeader() {
	header := a.Header()
	for name := range header {
		if guardsHeader(name) {
			delete(header, name)
		}
	}
	for _, one := range a.own {
		header[one.name] = one.lines
	}
	if announced := header["Trailer"]; announced != nil {
		delete(header, "Trailer")
		for name := range strings.SplitSeq(strings.Join(announced, ","), ",") {
			if name = strings.TrimSpace(name); !guardsTrailer(name) {
				header.Add("Trailer", name)
			}
		}
	}
	// What a caller may see is nobody else's, whatever stands between here and there.
	header["Cache-Control"] = noStore
	lines := header[sessionHeader]
	if len(lines) == 0 {
		return
	}
	delete(header, sessionHeader)
	switch {
	case a.sessionless && isSessionID(lines[0]):
		a.waiting.whose.sessionBegan(lines[0]) // the caller is not told of it, but it is there
	case a.sessionless:
	case len(lines) > 1 || !isSessionID(lines[0]):
		a.call.guard.log.Error("the handler's session id is not one line of visible ASCII, so it is left out")
	default:
		a.waiting.whose.sessionBegan(lines[0])
		header[sessionHeader] = []string{a.call.guard.sealSession(a.call.caller, lines[0])}
	}
}
