package fakeentra

import (
	"io"
	"net/http"
)

// HealthPath is an address of the fake that Entra ID does not have. It answers 200 with HealthText
// as soon as the fake listens. These requests get no faults, and the journal does not list them.
const (
	HealthPath = "/fakeentra/health"
	HealthText = "fakeentra is ready\n"
)

// answerHealth answers a request for HealthPath.
func answerHealth(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = io.WriteString(w, HealthText)
}
