package broker_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestPagesKeepOpenersAway wants no reference from the site that opened the window to a page, and
// https alone where the issuer has it.
func TestPagesKeepOpenersAway(t *testing.T) {
	t.Parallel()
	for _, tls := range []bool{false, true} {
		e := newEnv(t, options{tls: tls})
		want := ""
		if tls {
			want = "max-age=31536000"
		}
		for _, address := range []string{e.request(e.public()), e.request(registered{ID: "unknown"})} {
			page := e.browser().get(address)
			assert.Equal(t, "same-origin", page.header.Get("Cross-Origin-Opener-Policy"))
			assert.Equal(t, want, page.header.Get("Strict-Transport-Security"))
		}
		keys := e.browser().get(e.origin + "/jwks")
		assert.Equal(t, want, keys.header.Get("Strict-Transport-Security"))
	}
}
