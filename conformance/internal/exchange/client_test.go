package exchange_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"mcpentra/conformance/internal/exchange"
)

// TestIdleConnectionsEndFirst holds the client to less than two seconds. The hastiest usual servers
// close idle connections then.
func TestIdleConnectionsEndFirst(t *testing.T) {
	t.Parallel()
	idle := exchange.NewClient(nil).Transport.(*http.Transport).IdleConnTimeout
	assert.Positive(t, idle)
	assert.Less(t, idle, 2*time.Second)
}
