package upstream

import "net/http"

// NewTransport is the transport that a proxy makes for itself, for tests that have to add to it.
func NewTransport() *http.Transport { return newTransport(0) }
