package guard

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"mcpentra/server/jsonrpc"
)

// codeBusy is one of the codes that JSON-RPC 2.0 section 5.1 leaves to servers.
const codeBusy = -32000

// closeTimeout is how long a handler may take to close a session that makes room for another.
const closeTimeout = 5 * time.Second

// checkMessages counts what a POST starts: a stream, a running call if any message asks for a
// response, or else a message.
func (g *Guard) checkMessages(a *admission, single *jsonrpc.Message, listening bool) *refusal {
	kind := kindMessage
	switch {
	case listening:
		kind = kindStream
	case a.batch == nil && single.IsRequest(), slices.ContainsFunc(a.batch, (*jsonrpc.Message).IsRequest):
		kind = kindCall
	}
	var id jsontext.Value
	if single.IsRequest() {
		id = single.ID
	}
	if reached := g.usage.convert(&a.slot, a.caller.Principal, kind); reached != nil {
		return a.limitRefusal(reached, id)
	}
	if !single.Is("initialize") || a.answer.sessionless {
		a.sessionID = line(a.header, sessionHeader)
		return nil
	}
	closed, reached := g.usage.reserveSession(a.caller.Principal, g.now())
	if reached != nil {
		return a.limitRefusal(reached, id)
	}
	a.reserved = true
	g.closeSessions(a.request, closed)
	return nil
}

// limitRefusal refuses a request that a limit leaves no room for.
func (a *admission) limitRefusal(reached *limitError, id jsontext.Value) *refusal {
	return &refusal{
		status:      reached.status,
		rpcCode:     codeBusy,
		rpcID:       id,
		description: reached.Error(),
		retryAfter:  time.Second,
		limit:       reached,
		caller:      a.caller,
	}
}

// sessionOpened counts a session that the handler's answer names. It uses up the reservation.
func (a *admission) sessionOpened(id string) {
	if a.reserved {
		a.reserved = false
		a.guard.usage.cancelReservation(a.caller.Principal)
	}
	a.touchSession(id)
}

// sessionAnswered reads from the status of the answer whether the request's session goes on. Only
// the handler knows: a session that was closed to make room, or that another replica opened, is not
// counted before the handler has answered.
func (a *admission) sessionAnswered(status int) {
	succeeded := status/100 == 2
	deleted := succeeded && a.request.Method == http.MethodDelete
	switch {
	case a.sessionID == "":
	case status == http.StatusNotFound, deleted:
		a.guard.usage.removeSession(sessionKey{a.guard, a.sessionID}, a.caller.Principal)
	case succeeded:
		a.touchSession(a.sessionID)
	}
}

func (a *admission) touchSession(id string) {
	closed := a.guard.usage.touchSession(sessionKey{a.guard, id}, a.caller, a.guard.now())
	a.closedSessions = append(a.closedSessions, closed...)
}

// closeSessions asks the handler to close sessions that make room for others, with a DELETE in the
// name of the client that opened each.
func (g *Guard) closeSessions(r *http.Request, sessions []*session) {
	for _, s := range sessions {
		s.key.guard.closeSession(r, s)
	}
}

func (g *Guard) closeSession(r *http.Request, s *session) {
	g.log.Info("a session gives way to a newer one", "tenant", s.opener.TenantID, "object", s.opener.ObjectID,
		"client", s.opener.ClientID, "setting", s.setting)
	ctx, cancel := context.WithTimeout(NewContext(context.Background(), s.opener), closeTimeout)
	defer cancel()
	closing := &http.Request{
		Method:     http.MethodDelete,
		URL:        withoutToken(r.URL),
		Proto:      "HTTP/1.1",
		ProtoMajor: 1,
		ProtoMinor: 1,
		Host:       r.Host,
		RemoteAddr: r.RemoteAddr,
		Body:       http.NoBody,
		Header:     http.Header{sessionHeader: {s.key.id}},
	}
	g.next.ServeHTTP(&messageAnswer{header: make(http.Header)}, closing.WithContext(ctx))
}
