package guard

import (
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"mcpentra/server/identity"
	"mcpentra/server/jsonrpc"
)

// A refusal is an answer that the guard gives in place of the handler. Gates return it, and refuse
// logs and writes it. It has one of two forms: an OAuth error, or a JSON-RPC error if rpcCode is
// set.
type refusal struct {
	status      int
	description string // the error_description, or the message of the JSON-RPC error

	challenge bool   // send WWW-Authenticate
	code      string // the OAuth error code; "" means the usual one for the status

	rpcCode int
	rpcID   jsontext.Value // of the request; nil means unknown
	rpcData any

	retryAfter time.Duration // 0 means defaultRetry for a 503, and no header otherwise
	allow      string        // the Allow header
	close      bool          // close the connection, since the body was not read

	cause
	limit  *limitError      // if set, the log names the limit in place of the cause
	caller *identity.Caller // who reached the limit
}

// A cause explains a refusal in the log.
type cause struct {
	reason  string // "" means the description
	seen    string // what came in place of what was expected; never a credential
	setting string // the key of .env that would allow the request
}

// malformed refuses a message that is not strict JSON-RPC.
func malformed(err *jsonrpc.Error) *refusal {
	return &refusal{
		status:      http.StatusBadRequest,
		rpcCode:     err.Code,
		rpcID:       err.ID,
		description: err.Message,
	}
}

// defaultRetry is the Retry-After of a 503 whose cause names no time.
const defaultRetry = 5 * time.Second

// maxUnread bounds the rest of a body that is read before a refusal, in bytes. It is net/http's own
// bound.
const maxUnread = 256 << 10

// refuse logs a refusal and answers with it.
func (g *Guard) refuse(w http.ResponseWriter, r *http.Request, refused *refusal) {
	if refused.limit != nil {
		g.logLimit(r, refused.caller, refused.limit)
	} else {
		g.logRefusal(r, refused)
	}
	header := w.Header()
	if refused.allow != "" {
		header.Set("Allow", refused.allow)
	}
	if refused.close {
		header.Set("Connection", "close")
	}
	if refused.challenge {
		challenge := g.challengeFor(r)
		header.Set("WWW-Authenticate", challenge.header(refused.code, refused.description))
	}
	if refused.retryAfter > 0 || refused.status == http.StatusServiceUnavailable {
		header.Set("Retry-After", retrySeconds(refused.retryAfter))
	}
	header["Cache-Control"] = noStore
	if r.ContentLength != 0 && header.Get("Connection") != "close" {
		// net/http reads the rest of the body before it answers. It resets the deadline before the
		// next request.
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(g.bodyTimeouts.after))
		if r.Close && r.ContentLength <= maxUnread && r.Header.Get("Expect") == "" {
			// But not if the client wants the connection closed, as nginx does by default. Closing
			// it with a part unread would reset it, and nginx would answer 502. A client that
			// expects 100 has sent nothing yet, and reading would ask it to.
			_, _ = io.CopyN(io.Discard, r.Body, maxUnread)
		}
	}
	header.Set("Content-Type", "application/json")
	header.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(refused.status)
	_, _ = w.Write(append(refused.body(), '\n')) // an error would mean that the client has gone
}

// body encodes the answer.
func (refused *refusal) body() []byte {
	if refused.rpcCode != 0 {
		response := &jsonrpc.Error{
			Code:    refused.rpcCode,
			Message: refused.description,
			ID:      refused.rpcID,
			Data:    refused.rpcData,
		}
		return response.Response()
	}
	body := struct {
		Error       string `json:"error,omitzero"`
		Description string `json:"error_description"`
	}{refused.code, refused.description}
	switch {
	case refused.code != "":
	case refused.status == http.StatusServiceUnavailable:
		body.Error = "temporarily_unavailable"
	case refused.status != http.StatusUnauthorized:
		// Some clients read a JSON object without an error as an empty answer.
		body.Error = "invalid_request"
	}
	if refused.status == http.StatusUnauthorized {
		// MCP Inspector's proxy hides the status. Its client looks for this word to start a
		// sign-in.
		body.Description = "Unauthorized: " + refused.description
	}
	encoded, err := json.Marshal(body)
	if err != nil {
		return []byte(`{}`)
	}
	return encoded
}

func retrySeconds(wait time.Duration) string {
	if wait <= 0 {
		wait = defaultRetry
	}
	return strconv.Itoa(int(math.Ceil(wait.Seconds())))
}

// maxSeen is how many bytes of a client's text a log line repeats.
const maxSeen = 200

// logRefusal writes one line for a refusal.
func (g *Guard) logRefusal(r *http.Request, refused *refusal) {
	reason := refused.reason
	if reason == "" {
		reason = refused.description
	}
	attributes := []any{
		"status", refused.status, "reason", reason, "method", clip(r.Method), "path", clip(r.URL.Path),
		"address", g.proxies.Address(r).String(),
	}
	if refused.seen != "" {
		attributes = append(attributes, "seen", clip(refused.seen))
	}
	if refused.setting != "" {
		attributes = append(attributes, "setting", refused.setting)
	}
	g.log.InfoContext(r.Context(), "refused", attributes...)
}

// logLimit writes one line for a refusal by a limit. The request is nil for work that outlives its
// own.
func (g *Guard) logLimit(r *http.Request, caller *identity.Caller, reached *limitError) {
	attributes := []any{
		"status", reached.status, "reason", reached.what, "limit", reached.limit, "setting", reached.setting,
		"tenant", caller.TenantID, "object", caller.ObjectID, "client", caller.ClientID,
	}
	if r != nil {
		attributes = append(attributes, "method", r.Method, "path", clip(r.URL.Path),
			"address", g.proxies.Address(r).String())
	}
	g.log.Warn("refused", attributes...)
}

// clip shortens a client's text for the log. The log's handler escapes it.
func clip(text string) string {
	if len(text) <= maxSeen {
		return text
	}
	return strings.ToValidUTF8(text[:maxSeen], "") + "…"
}
