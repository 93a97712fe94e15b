package guard

import (
	"net/http"
	"strings"
	"time"
)

// writeTimeout bounds how long a caller may take to read what is sent, each time.
const writeTimeout = time.Minute

// answerWriter is the handler's way to the caller. When the headers are about to go, it seals the
// session id in them, and takes out what only the guard may say.
type answerWriter struct {
	http.ResponseWriter
	guard  *Guard
	caller *Identity
	// own are the headers that the guard has set; sessionless says that there is no session to name.
	own         []ownHeader
	few         [4]ownHeader // room for them
	sessionless bool
	sent        bool
}

// ownHeader is a header that the guard has set.
type ownHeader struct {
	name  string
	lines []string
}

// keepOwn remembers what has been set so far, before the handler sees it.
func (a *answerWriter) keepOwn() {
	a.own = a.few[:0]
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
	case "Cache-Control", "Vary", "Set-Cookie":
		return true
	}
	return strings.HasPrefix(name, "Access-Control-")
}

func (a *answerWriter) WriteHeader(status int) {
	if !a.sent && status >= http.StatusOK {
		a.sent = true
		a.finishHeader()
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *answerWriter) Write(p []byte) (int, error) {
	if !a.sent {
		a.WriteHeader(http.StatusOK)
	}
	a.deadline(time.Now().Add(writeTimeout))
	return a.ResponseWriter.Write(p)
}

// deadline is set before everything that is sent, and taken back at the end: the connection may be used again. What
// cannot set deadlines is no connection.
func (a *answerWriter) deadline(at time.Time) {
	_ = http.NewResponseController(a.ResponseWriter).SetWriteDeadline(at)
}

// Flush is what handlers look for that answer with a stream.
func (a *answerWriter) Flush() {
	if !a.sent {
		a.WriteHeader(http.StatusOK)
	}
	a.deadline(time.Now().Add(writeTimeout))
	// A connection that cannot be flushed is one whose answers arrive late, not one without answers.
	_ = http.NewResponseController(a.ResponseWriter).Flush()
}

// Unwrap lets http.ResponseController find what is behind.
func (a *answerWriter) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (a *answerWriter) finishHeader() {
	header := a.Header()
	for name := range header {
		if guardsHeader(http.CanonicalHeaderKey(name)) {
			delete(header, name)
		}
	}
	for _, one := range a.own {
		header[one.name] = one.lines
	}
	lines := header[sessionHeader]
	delete(header, sessionHeader)
	if len(lines) == 0 || a.sessionless {
		return
	}
	if len(lines) > 1 || !isSessionID(lines[0]) {
		a.guard.log.Error("the handler's session id is not one line of visible ASCII, so it is left out")
		return
	}
	header.Set(sessionHeader, a.guard.sealSession(a.caller, lines[0]))
}
