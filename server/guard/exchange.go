package guard

import (
	"net/http"
	"time"
)

// An exchange is a request that was let in and the answer to it: what the guard keeps for them, in one piece.
type exchange struct {
	call
	answer answerWriter
	body   messageBody // what the handler reads
}

// newExchange is for a request with the header that the handler will see.
func (g *Guard) newExchange(w http.ResponseWriter, header http.Header, raw string, caller *Identity) *exchange {
	x := &exchange{call: call{guard: g, raw: raw, caller: caller, header: header}}
	x.next.whose = x
	x.answer = answerWriter{ResponseWriter: w, call: &x.call, sessionless: sessionless(header), waiting: place{whose: x}}
	return x
}

// end is for when the handler has returned, or was not called.
func (x *exchange) end() {
	if x.cancel != nil {
		x.call.end()
	}
	x.answer.end()
}

// longAgo ends what waits for a connection.
var longAgo = time.Unix(1, 0)

// stopReading and stopWriting end a wait for the caller. What cannot set deadlines is no connection.
func (x *exchange) stopReading() {
	_ = http.NewResponseController(x.answer.ResponseWriter).SetReadDeadline(longAgo)
}

func (x *exchange) stopWriting() {
	_ = http.NewResponseController(x.answer.ResponseWriter).SetWriteDeadline(longAgo)
}
