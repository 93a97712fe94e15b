package guard

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"mcpentra/server/identity"
	"mcpentra/server/jsonrpc"
)

const (
	sessionHeader = "Mcp-Session-Id"
	// maxSessionID is the longest session ID of a handler that the guard accepts, in bytes.
	maxSessionID = 512
)

// codeNoSession is one of the codes that JSON-RPC 2.0 section 5.1 leaves to servers.
const codeNoSession = -32001

const (
	textNoSession    = "session not found"
	textNeedsSession = "this server keeps sessions: begin with initialize, and send the Mcp-Session-Id that comes back"
)

// sealSession makes the session ID that the client gets from the ID that the handler gave. It adds
// a MAC over the ID, the principal and the client, so no other caller can use the session on any
// replica that has the key. A refreshed token keeps its session.
func (g *Guard) sealSession(caller *identity.Caller, id string) string {
	return sessionMAC(g.sessionKeys()[0], caller, id) + "." + id
}

// unsealSession returns the handler's ID of a session that belongs to the caller.
func (g *Guard) unsealSession(caller *identity.Caller, sealed string) (id string, found bool) {
	mac, id, _ := strings.Cut(sealed, ".")
	if id == "" || len(id) > maxSessionID {
		return "", false
	}
	for _, key := range g.sessionKeys() {
		if hmac.Equal([]byte(mac), []byte(sessionMAC(key, caller, id))) {
			return id, true
		}
	}
	return "", false
}

func sessionMAC(key []byte, caller *identity.Caller, id string) string {
	mac := hmac.New(sha256.New, key)
	for _, part := range []string{"mcp session", caller.Issuer, caller.TenantID, caller.ObjectID, caller.ClientID, id} {
		// The length in front keeps the end of one part from being read as the start of the next.
		var length [4]byte
		binary.BigEndian.PutUint32(length[:], uint32(len(part)))
		mac.Write(length[:])
		mac.Write([]byte(part))
	}
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// isSessionID checks the syntax of MCP: visible ASCII.
func isSessionID(id string) bool {
	return id != "" && len(id) <= maxSessionID &&
		!strings.ContainsFunc(id, func(r rune) bool { return r < 0x21 || r > 0x7e })
}

// line returns the first line of a header. The name is in canonical form.
func line(header http.Header, name string) string {
	if lines := header[name]; len(lines) > 0 {
		return lines[0]
	}
	return ""
}

// checkSession replaces the caller's session ID in the header with the handler's. It refuses a
// session of another caller in the same words as one that does not exist.
func (g *Guard) checkSession(a *admission) *refusal {
	if a.answer.sessionless {
		// Servers of that revision have to ignore both headers, but mcp-go refuses them.
		delete(a.header, sessionHeader)
		delete(a.header, "Last-Event-Id")
		return nil
	}
	sealed := line(a.header, sessionHeader)
	if sealed == "" {
		return nil
	}
	id, found := g.unsealSession(a.caller, sealed)
	if !found {
		return &refusal{status: http.StatusNotFound, rpcCode: codeNoSession, description: textNoSession}
	}
	a.header[sessionHeader] = []string{id}
	return nil
}

// needSession refuses a request without a session if the handler keeps sessions. Otherwise every
// caller would share the listening stream that belongs to no session.
func (g *Guard) needSession(a *admission, id jsontext.Value) *refusal {
	if !g.stateful || a.answer.sessionless || line(a.header, sessionHeader) != "" {
		return nil
	}
	return &refusal{
		status:      http.StatusBadRequest,
		rpcCode:     jsonrpc.CodeInvalidRequest,
		rpcID:       id,
		description: textNeedsSession,
		cause:       cause{setting: "MCP_STATEFUL"},
	}
}
