package guard

import (
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/assert"
)

// Every byte of an answer to a message of a batch may be a caller's choice, and so is how many
// lines it has.
func TestABatchCostsAFewTimesItsAnswers(t *testing.T) { // not parallel, since it measures memory
	const size = 2 << 20
	response := `{"jsonrpc":"2.0","id":1,"result":{}}`
	for name, test := range map[string]struct{ mediaType, body string }{
		"many empty lines of data": {"text/event-stream", strings.Repeat("data:\n", size/6) + "\n"},
		"many lines of other kinds": {
			"text/event-stream",
			strings.Repeat(":\n", size/2) + "\ndata: " + response + "\n\n",
		},
		"one large result": {
			"application/json",
			fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"result":%q}`, strings.Repeat("a", size)),
		},
	} {
		t.Run(name, func(t *testing.T) {
			kept := &keptAnswer{header: http.Header{"Content-Type": {test.mediaType}}, limit: maxBatchAnswer}
			_, _ = kept.Write([]byte(test.body))
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			answer := kept.response(&message{id: jsontext.Value("1")})
			runtime.ReadMemStats(&after)
			assert.Equal(t, name != "many empty lines of data", strings.Contains(string(answer), "result"))
			assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(3*size))
		})
	}
}

func TestDataOfEvents(t *testing.T) {
	t.Parallel()
	for stream, want := range map[string][]string{
		"":                                nil,
		"data":                            nil,
		"data: a":                         {"a"},
		"data: a\n\n":                     {"a"},
		"data: a\r\ndata:b\r\n\r\n":       {"a\nb"},
		"data:a\rdata:  b\r\rdata: c\n":   {"a\n b", "c"},
		"\ufeffdata: a\nid: 7\n\n\n\n:\n": {"a"},
		"data:\ndata:\n\ndata:\n\n":       {"\n", ""},
		"id: 1\n\ndata: a\n\nevent: b":    {"a"},
	} {
		var got []string
		for data := range eventData([]byte(stream)) {
			got = append(got, string(data))
			_ = append(data, "over the next event"...)
		}
		assert.Equal(t, want, got, "%q", stream)
	}
}
