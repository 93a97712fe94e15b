package guard

import (
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/assert"

	"mcpentra/server/jsonrpc"
)

// TestBatchMemory measures the memory for an answer whose bytes and lines a caller may choose.
func TestBatchMemory(t *testing.T) { // not parallel, since it measures memory
	const size = 2 << 20
	const response = `{"jsonrpc":"2.0","id":1,"result":{}}`
	for _, test := range []struct{ name, mediaType, body string }{
		{"many empty lines of data", "text/event-stream", strings.Repeat("data:\n", size/6) + "\n"},
		{
			"many lines of other kinds",
			"text/event-stream",
			strings.Repeat(":\n", size/2) + "\ndata: " + response + "\n\n",
		},
		{
			"one large result",
			"application/json",
			fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"result":%q}`, strings.Repeat("a", size)),
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			answer := &messageAnswer{
				header: http.Header{"Content-Type": {test.mediaType}},
				limit:  maxBatchAnswer,
			}
			_, _ = answer.Write([]byte(test.body))
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			found := answer.response(&jsonrpc.Message{ID: jsontext.Value("1")})
			runtime.ReadMemStats(&after)
			assert.Equal(t, test.name != "many empty lines of data", strings.Contains(string(found), "result"))
			assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(3*size))
		})
	}
}

func TestEventData(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		stream string
		want   []string
	}{
		{"", nil},
		{"data", nil},
		{"data: a", []string{"a"}},
		{"data: a\n\n", []string{"a"}},
		{"data: a\r\ndata:b\r\n\r\n", []string{"a\nb"}},
		{"data:a\rdata:  b\r\rdata: c\n", []string{"a\n b", "c"}},
		{"\ufeffdata: a\nid: 7\n\n\n\n:\n", []string{"a"}},
		{"data:\ndata:\n\ndata:\n\n", []string{"\n", ""}},
		{"id: 1\n\ndata: a\n\nevent: b", []string{"a"}},
	} {
		var got []string
		for data := range eventData([]byte(test.stream)) {
			got = append(got, string(data))
			_ = append(data, "over the next event"...)
		}
		assert.Equal(t, test.want, got, "%q", test.stream)
	}
}
