package guard

import (
	"context"
	"errors"
	"net/http"
	"time"

	"mcpentra/server/identity"
	"mcpentra/server/jsonrpc"
	"mcpentra/server/token"
)

// An admission is a request that passed the gates before its body, and the answer to it. It holds
// all that the guard keeps for them in one allocation.
type admission struct {
	call
	answer answerWriter
	body   messageBody // what the handler reads

	request        *http.Request      // as the client sent it
	batch          []*jsonrpc.Message // nil for a single message
	reserved       bool               // the Usage has room for the session that this request opens
	sessionID      string             // the handler's ID of the session that the request belongs to
	closedSessions []*session         // sessions that make room for one that was not counted before
}

// newAdmission takes the header that the handler will see.
func (g *Guard) newAdmission(
	w http.ResponseWriter, r *http.Request, header http.Header, raw string, caller *identity.Caller,
) *admission {
	a := &admission{call: call{guard: g, raw: raw, caller: caller, header: header}, request: r}
	a.nextRecheck.owner = a
	a.answer = answerWriter{
		ResponseWriter: w,
		admission:      a,
		sessionless:    sessionless(header),
		waiting:        entry{owner: a},
	}
	return a
}

// end releases what the admission holds. The handler has returned, or was not called.
func (a *admission) end() {
	if a.cancel != nil {
		a.call.end()
	}
	a.guard.usage.release(&a.slot)
	a.answer.end()
	if a.reserved {
		a.guard.usage.cancelReservation(a.caller.Principal)
	}
	a.guard.closeSessions(a.request, a.closedSessions)
}

// stopped returns the answer to a request that the guard ended before its handler answered it, or
// nil.
func (a *admission) stopped() *refusal {
	if a.answer.sent {
		return nil
	}
	ended := context.Cause(&a.call)
	var refused *refusal
	switch {
	case errors.Is(ended, ErrTokenExpired):
		refused = invalidToken(cause{reason: string(token.Expired)})
	case errors.Is(ended, ErrRevoked):
		refused = invalidToken(cause{reason: "the token was revoked while the request ran"})
	case errors.Is(ended, ErrMaxCall):
		refused = &refusal{
			status:      http.StatusGatewayTimeout,
			rpcCode:     jsonrpc.CodeInternal,
			description: textMaxCall,
			cause:       cause{setting: "MCP_MAX_CALL"},
		}
	default:
		return nil
	}
	a.answer.forget()
	return refused
}

const textMaxCall = "the call ran longer than this server allows"

// longAgo is a deadline that ends a read or write that waits.
var longAgo = time.Unix(1, 0)

// stopReading and stopWriting end a wait for the client. They do nothing if w is not a connection.
func (a *admission) stopReading() {
	_ = http.NewResponseController(a.answer.ResponseWriter).SetReadDeadline(longAgo)
}

func (a *admission) stopWriting() {
	_ = http.NewResponseController(a.answer.ResponseWriter).SetWriteDeadline(longAgo)
}
