package guard

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// codeBusy is one of the codes that JSON-RPC 2.0 section 5.1 leaves to servers.
const codeBusy = -32000

// endTimeout is how long a handler may take to end a session that gives way.
const endTimeout = 5 * time.Second

// admitMessages counts what a POST starts: a running call where something in it wants an answer, or
// a stream.
func (g *Guard) admitMessages(x *exchange, single *message, batch []*message, listening bool) *limitError {
	kind := useMessage
	switch {
	case listening:
		kind = useStream
	case batch == nil && single.isRequest(), slices.ContainsFunc(batch, (*message).isRequest):
		kind = useCall
	}
	if reached := g.usage.change(&x.slot, x.caller.Principal, kind); reached != nil {
		return reached
	}
	if !single.is("initialize") || x.answer.sessionless {
		x.named = line(x.header, sessionHeader)
		return nil
	}
	ended, reached := g.usage.reserve(x.caller.Principal, g.now())
	if reached != nil {
		return reached
	}
	x.begins = true
	g.endSessions(x.request, ended)
	return nil
}

// sessionBegan counts a session that the handler's answer names. The room that was made for it is
// taken.
func (x *exchange) sessionBegan(id string) {
	if x.begins {
		x.begins = false
		x.guard.usage.release(x.caller.Principal)
	}
	x.useSession(id)
}

// sessionAnswered reads from the status of an answer whether the session of the request goes on.
// Only the handler knows: a session that gave way, or another replica's, is not counted before it
// has been answered.
func (x *exchange) sessionAnswered(status int) {
	switch {
	case x.named == "":
	case status == http.StatusNotFound, x.request.Method == http.MethodDelete && status/100 == 2:
		x.guard.usage.over(sessionKey{x.guard, x.named}, x.caller.Principal)
	case status/100 == 2:
		x.useSession(x.named)
	}
}

func (x *exchange) useSession(id string) {
	ended := x.guard.usage.used(sessionKey{x.guard, id}, x.caller, x.guard.now())
	x.yielded = append(x.yielded, ended...)
}

// endSessions ends sessions that give way to others, each as its opener would.
func (g *Guard) endSessions(r *http.Request, sessions []*session) {
	for _, one := range sessions {
		of := one.key.guard
		of.log.Info("a session gives way to a newer one", "tenant", one.opener.TenantID, "object", one.opener.ObjectID,
			"client", one.opener.ClientID, "setting", one.limit)
		ctx, cancel := context.WithTimeout(NewContext(context.Background(), one.opener), endTimeout)
		ending := (&http.Request{
			Method:     http.MethodDelete,
			URL:        strippedURL(r.URL),
			Proto:      "HTTP/1.1",
			ProtoMajor: 1,
			ProtoMinor: 1,
			Host:       r.Host,
			RemoteAddr: r.RemoteAddr,
			Body:       http.NoBody,
			Header:     http.Header{sessionHeader: {one.key.id}},
		}).WithContext(ctx)
		of.next.ServeHTTP(&keptAnswer{header: make(http.Header)}, ending)
		cancel()
	}
}

// refuseLimit answers a request for which a limit leaves no room.
func (g *Guard) refuseLimit(x *exchange, reached *limitError, id jsontext.Value) {
	g.logLimit(x.request, x.caller, reached)
	header := x.answer.Header()
	header.Set("Retry-After", retrySeconds(time.Second))
	header["Cache-Control"] = noStore
	writeJSON(&x.answer, reached.status, errorResponse(&rpcError{code: codeBusy, message: reached.Error(), id: id}))
}

// logLimit writes the one line that a refusal by a limit leaves. The request is nil for work that
// outlives its own.
func (g *Guard) logLimit(r *http.Request, caller *Identity, reached *limitError) {
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
