package guard

import (
	"context"
	"errors"
	"net/http"
	"time"

	"mcpentra/server/token"
)

// An exchange is a request that was let in and the answer to it: what the guard keeps for them, in
// one piece.
type exchange struct {
	call
	answer answerWriter
	body   messageBody // what the handler reads

	request *http.Request // as it came
	begins  bool          // a session, for which there is room
	named   string        // the handler's ID of the session that the request belongs to
	yielded []*session    // that give way to a session which was not counted before
}

// newExchange is for a request with the header that the handler will see.
func (g *Guard) newExchange(w http.ResponseWriter, header http.Header, raw string, caller *Identity) *exchange {
	x := &exchange{call: call{guard: g, raw: raw, caller: caller, header: header}}
	x.next.whose = x
	x.answer = answerWriter{
		ResponseWriter: w,
		call:           &x.call,
		sessionless:    sessionless(header),
		waiting:        place{whose: x},
	}
	return x
}

// end releases the exchange once the handler has returned, or was not called.
func (x *exchange) end() {
	if x.cancel != nil {
		x.call.end()
	}
	x.guard.usage.give(&x.slot)
	x.answer.end()
	if x.begins {
		x.guard.usage.release(x.caller.Principal)
	}
	x.guard.endSessions(x.request, x.yielded)
}

// answerEnded answers in place of a handler that the guard has stopped before it answered.
func (x *exchange) answerEnded(r *http.Request) {
	if x.answer.sent {
		return
	}
	refused := refusal{
		status:      http.StatusUnauthorized,
		challenge:   true,
		code:        "invalid_token",
		description: sayInvalidToken,
	}
	switch ended := context.Cause(&x.call); {
	case errors.Is(ended, ErrTokenExpired):
		refused.cause = cause{reason: string(token.Expired)}
	case errors.Is(ended, ErrRevoked):
		refused.cause = cause{reason: "the token was revoked while the request ran"}
	case errors.Is(ended, ErrMaxCall):
		x.answer.forget()
		x.guard.refuseRPC(&x.answer, r, http.StatusGatewayTimeout, &rpcError{code: codeInternal, message: sayMaxCall})
		return
	default:
		return
	}
	x.answer.forget()
	x.guard.refuse(&x.answer, r, refused)
}

// sayMaxCall is the answer to a call that was ended; the log names the setting.
const sayMaxCall = "the call ran longer than this server allows"

// longAgo ends what waits for a connection.
var longAgo = time.Unix(1, 0)

// stopReading and stopWriting end a wait for the caller. What cannot set deadlines is no
// connection.
func (x *exchange) stopReading() {
	_ = http.NewResponseController(x.answer.ResponseWriter).SetReadDeadline(longAgo)
}

func (x *exchange) stopWriting() {
	_ = http.NewResponseController(x.answer.ResponseWriter).SetWriteDeadline(longAgo)
}
