package guard

import (
	"context"
	"net/http"

	"mcpentra/server/jsonrpc"
)

// preparePost reads and checks the message of a POST, and makes the request that the handler gets.
// The requests for the messages of a batch are copies of it.
func (g *Guard) preparePost(a *admission) (*http.Request, *refusal) {
	body, refused := g.readBody(a)
	if refused != nil {
		return nil, refused
	}
	declareJSON(a.header)
	var single jsonrpc.Message
	batch, invalid := jsonrpc.Decode(body, &single)
	if invalid != nil {
		return nil, malformed(invalid)
	}
	a.batch = batch
	if refused := checkVersion(a.header, single.ID); refused != nil {
		return nil, refused
	}
	if !single.Is("initialize") {
		if refused := g.needSession(a, single.ID); refused != nil {
			return nil, refused
		}
	}
	if refused := checkBatch(a); refused != nil {
		return nil, refused
	}
	// The listening stream of 2026-07-28 is a POST.
	listening := single.Is("subscriptions/listen")
	if refused := g.checkMessages(a, &single, listening); refused != nil {
		return nil, refused
	}
	r := a.request
	if a.reserved {
		// The session is opened even if the client goes. Only the handler's answer names it, so the
		// guard has to wait for the answer to count the session.
		r = r.WithContext(context.WithoutCancel(r.Context()))
	}
	inner := a.innerRequest(r, listening)
	if batch == nil {
		setBody(inner, &a.body, single.Encoded) // inner and its header are the guard's own copies
	}
	return inner, nil
}

// checkBatch refuses a batch in a revision without batches.
func checkBatch(a *admission) *refusal {
	version := line(a.request.Header, versionHeader)
	if a.batch == nil || version == "" || version == batchRevision {
		return nil
	}
	return &refusal{
		status:      http.StatusBadRequest,
		rpcCode:     jsonrpc.CodeInvalidRequest,
		description: "batches exist in revision " + batchRevision + " only",
	}
}
