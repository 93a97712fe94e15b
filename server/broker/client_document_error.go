package broker

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"mcpentra/server/broker/fetch"
)

// settingDocuments is the key of .env that allows client documents.
const settingDocuments = "AUTH_CLIENT_DOCUMENTS"

// A documentError says why a client with a document is not known.
type documentError struct {
	cause *fetch.Error
	id    string // the URL
}

func refusedDocument(id string, why error) error {
	return &documentError{id: id, cause: &fetch.Error{Reason: fetch.Refused, Err: why}}
}

func (e *documentError) Error() string { return e.cause.Error() }

func (e *documentError) Unwrap() error { return e.cause }

// describe returns the sentence that people and clients read. It says nothing about the server's
// network.
func (e *documentError) describe() string {
	host := documentHost(e.id)
	if host == "" {
		host = "its URL"
	}
	at := "the client's metadata document at " + host
	switch e.cause.Reason {
	case fetch.Refused:
		return "this server does not accept " + at
	case fetch.Withdrawn:
		return at + " is gone"
	case fetch.Invalid:
		return at + " cannot be used: " + clipped(e.Error(), maxReason)
	case fetch.TooMany:
		return at + " is not fetched now, because too many documents are being fetched; try again in a minute"
	}
	return at + " cannot be fetched now; try again in a while"
}

// problem returns the answer to a client.
func (e *documentError) problem(basic bool) *protocolError {
	made := unknownClient(basic).described(e.describe())
	switch e.cause.Reason {
	case fetch.TooMany:
		made = tooMany(e.describe()).allowedBy(settingFetches)
	case fetch.Unreachable:
		made = unavailable(e.describe())
	case fetch.Refused:
		made = made.allowedBy(settingDocuments)
	}
	if e.cause.RetryAfter > 0 {
		made.retryAfter = e.cause.RetryAfter
	}
	return made.because(e.Error()).saw("client", e.id)
}

// clientProblem answers a client whose ID leads to no client.
func (b *Broker) clientProblem(ctx context.Context, basic bool, err error) *protocolError {
	var problem *documentError
	if errors.As(err, &problem) {
		return problem.problem(basic)
	}
	return b.storeProblem(ctx, err)
}

// clientFailed shows a person why a client ID leads to no client.
func (b *Broker) clientFailed(w http.ResponseWriter, r *http.Request, err error) {
	var problem *documentError
	if !errors.As(err, &problem) {
		b.storeFailed(w, r, err)
		return
	}
	shown := problem.problem(false)
	shown.description = "The program that opened this page is not known here: " + problem.describe() + "."
	shown.code = "page"
	if !problem.cause.MayPass() {
		shown.status = http.StatusBadRequest
	}
	if shown.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(shown.retryAfter.Seconds())))
	}
	b.showRefusal(w, r, shown)
}
