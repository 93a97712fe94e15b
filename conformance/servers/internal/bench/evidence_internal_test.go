package bench

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/internal/exchange"
)

// TestWords leaves out words that no credential in base64 fits into, and repetitions.
func TestWords(t *testing.T) {
	t.Parallel()
	header := "for=a;by=b, x=c2VjcmV0LTEyMw, " + `{"y":"c2VjcmV0LTEyMw"} =?base64?c2hvcnQ?=`
	assert.Equal(t, []string{"?base64?c2hvcnQ?", "c2VjcmV0LTEyMw"}, words(header))
}

// BenchmarkRemember notes the credentials of a request with a header of thousands of words.
func BenchmarkRemember(b *testing.B) {
	p := &Probe{secrets: &exchange.Secrets{}}
	for i := range 200 {
		p.secrets.Add(fmt.Sprintf("token number %d", i))
	}
	request, err := http.NewRequest(http.MethodPost, "http://localhost/mcp", http.NoBody)
	require.NoError(b, err)
	request.Header.Set("Forwarded", strings.Repeat("for=a;by=b,", 2700))
	for b.Loop() {
		p.remember(request)
	}
}
