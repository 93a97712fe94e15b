package graph

import (
	"fmt"
	"net/http"
)

// A problem is an error answer of Graph.
type problem struct {
	status  int
	code    string
	message string
}

// badRequest is the answer to a query that Graph cannot parse.
func badRequest(format string, args ...any) *problem {
	return &problem{http.StatusBadRequest, "BadRequest", fmt.Sprintf(format, args...)}
}

// badBody is the answer to a body that does not fit.
func badBody(format string, args ...any) *problem {
	return &problem{http.StatusBadRequest, "Request_BadRequest", fmt.Sprintf(format, args...)}
}

// notFound is the answer if the tenant has no object with an ID.
func notFound(id string) *problem {
	return &problem{http.StatusNotFound, "Request_ResourceNotFound", "Resource '" + id +
		"' does not exist or one of its queried reference-property objects are not present."}
}

// needsAdvanced is the answer to an operator that needs an advanced query (M: the sentence).
func needsAdvanced(operator string) *problem {
	return &problem{http.StatusBadRequest, "Request_UnsupportedQuery", "Operator '" + operator +
		"' is not supported because the required parameters might be missing. " +
		"Try adding $count=true query parameter and ConsistencyLevel:eventual header. " +
		"Refer to https://aka.ms/graph-docs/advanced-queries for more information"}
}

var errForbidden = &problem{
	http.StatusForbidden,
	"Authorization_RequestDenied",
	"Insufficient privileges to complete the operation.",
}
