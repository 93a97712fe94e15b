package upstream

import "net/http"

// NewTransport makes the default transport of a proxy, for tests that change it.
func NewTransport() *http.Transport { return newTransport(0) }
