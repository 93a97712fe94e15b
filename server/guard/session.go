package guard

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"strings"
)

const (
	sessionHeader = "Mcp-Session-Id"
	// maxSessionID bounds the length of a handler's session id.
	maxSessionID = 512
)

// sayNoSession is the answer to a session that is not the caller's, or that nobody has: the two
// must look the same.
const (
	codeNoSession = -32001
	sayNoSession  = "session not found"
	// sayNeedsSession is the answer to what belongs to none.
	sayNeedsSession = "this server keeps sessions: begin with initialize, and send the Mcp-Session-Id that comes back"
)

// sealSession makes the session id that the caller gets out of the one that the handler gave: with
// a mark that only the guard can make, over the id, the principal and the client. Whoever else
// presents it is not let in, on any replica that has the key; a refreshed token keeps its session.
func (g *Guard) sealSession(caller *Identity, id string) string {
	return sessionMark(g.sessionKeys[0], caller, id) + "." + id
}

// openSession is the handler's id for a session of the caller's.
func (g *Guard) openSession(caller *Identity, sealed string) (id string, found bool) {
	mark, id, _ := strings.Cut(sealed, ".")
	if id == "" || len(id) > maxSessionID {
		return "", false
	}
	for _, key := range g.sessionKeys {
		if hmac.Equal([]byte(mark), []byte(sessionMark(key, caller, id))) {
			return id, true
		}
	}
	return "", false
}

func sessionMark(key []byte, caller *Identity, id string) string {
	mac := hmac.New(sha256.New, key)
	for _, part := range []string{"mcp session", caller.Issuer, caller.TenantID, caller.ObjectID, caller.ClientID, id} {
		// With its length in front, no part can run into the next.
		var length [4]byte
		binary.BigEndian.PutUint32(length[:], uint32(len(part)))
		mac.Write(length[:])
		mac.Write([]byte(part))
	}
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// isSessionID is the syntax of MCP: visible ASCII.
func isSessionID(id string) bool {
	return id != "" && len(id) <= maxSessionID &&
		!strings.ContainsFunc(id, func(r rune) bool { return r < 0x21 || r > 0x7e })
}

// line is the first line of a header whose name is written in canonical form.
func line(header http.Header, name string) string {
	if lines := header[name]; len(lines) > 0 {
		return lines[0]
	}
	return ""
}

// takeSession puts the handler's own session id in place of the caller's. It reports whether the
// request may go on.
func (g *Guard) takeSession(header http.Header, caller *Identity, sessionless bool) bool {
	if sessionless {
		// Servers of that revision are to ignore both; mcp-go refuses.
		delete(header, sessionHeader)
		delete(header, "Last-Event-Id")
		return true
	}
	sealed := line(header, sessionHeader)
	if sealed == "" {
		return true
	}
	id, found := g.openSession(caller, sealed)
	if !found {
		return false
	}
	header[sessionHeader] = []string{id}
	return true
}

// needsSession reports whether a request other than initialize has to belong to a session and does
// not. Without this rule a listening stream without a session would be everybody's.
func (g *Guard) needsSession(x *exchange) bool {
	return g.stateful && !x.answer.sessionless && line(x.header, sessionHeader) == ""
}
