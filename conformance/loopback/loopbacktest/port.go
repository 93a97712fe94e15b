package loopbacktest

import (
	"testing"

	"mcpentra/conformance/loopback"
)

// Port reserves a free port of both loopback addresses until the test ends. Nothing listens there
// until the test or one of its programs does.
func Port(t testing.TB) string {
	t.Helper()
	port, release, err := loopback.ReservePort()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	return port
}
