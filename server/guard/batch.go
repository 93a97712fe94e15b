package guard

import (
	"bytes"
	"mime"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// maxBatchAnswer bounds what is kept of one message's answer until the others have theirs.
const maxBatchAnswer = 4 << 20

// serveBatch runs the messages of a batch one after the other, and answers with an array of the
// responses, or with 202 when nothing in the batch wants one (2025-03-26, Streamable HTTP, sending
// messages to the server). All messages have been judged before the first one runs. Notifications
// that the handler sends while it works have no place in such an answer and are left out.
func (g *Guard) serveBatch(w http.ResponseWriter, r *http.Request, messages []*message) {
	var answers []jsontext.Value
	for _, m := range messages {
		if r.Context().Err() != nil {
			return
		}
		kept := &keptAnswer{header: make(http.Header)}
		g.next.ServeHTTP(kept, withBody(r, m.encoded))
		if m.isRequest() {
			answers = append(answers, kept.response(m))
		}
	}
	if len(answers) == 0 {
		w.WriteHeader(http.StatusAccepted)
		return
	}
	writeJSON(w, http.StatusOK, answers)
}

// keptAnswer is an http.ResponseWriter that keeps the answer to one message.
type keptAnswer struct {
	header http.Header
	status int
	body   bytes.Buffer
	over   bool
}

func (k *keptAnswer) Header() http.Header { return k.header }

func (k *keptAnswer) WriteHeader(status int) {
	if k.status == 0 {
		k.status = status
	}
}

func (k *keptAnswer) Write(p []byte) (int, error) {
	k.WriteHeader(http.StatusOK)
	if k.body.Len()+len(p) > maxBatchAnswer {
		k.over = true
		return len(p), nil
	}
	return k.body.Write(p)
}

// Flush is what handlers that answer with a stream ask for; there is nobody to flush to yet.
func (k *keptAnswer) Flush() {}

// response finds the JSON-RPC response in the answer, which may be one JSON object or a stream of
// events (text/event-stream). Where there is none, the message failed.
func (k *keptAnswer) response(m *message) jsontext.Value {
	if !k.over {
		candidates := []string{k.body.String()}
		if mediaType, _, err := mime.ParseMediaType(k.header.Get("Content-Type")); err == nil && mediaType == "text/event-stream" {
			candidates = eventData(k.body.String())
		}
		for _, candidate := range candidates {
			value := jsontext.Value(strings.TrimSpace(candidate))
			// The same spelling as the request's, or ids would differ by their escapes.
			if value.Compact(jsontext.PreserveRawStrings(false)) != nil {
				continue
			}
			var answered message
			if refused := answered.decode(value); refused == nil && answered.method == nil && bytes.Equal(answered.id, m.id) {
				return value
			}
		}
	}
	failed, err := json.Marshal(errorResponse(&rpcError{code: codeInternal, message: "the message was not answered", id: m.id}))
	if err != nil {
		return jsontext.Value("null")
	}
	return failed
}

// eventData joins the data lines of each event (WHATWG HTML, server-sent events).
func eventData(stream string) []string {
	var events []string
	for event := range strings.SplitSeq(strings.ReplaceAll(stream, "\r\n", "\n"), "\n\n") {
		var data []string
		for line := range strings.SplitSeq(event, "\n") {
			if rest, found := strings.CutPrefix(line, "data:"); found {
				data = append(data, strings.TrimPrefix(rest, " "))
			}
		}
		if data != nil {
			events = append(events, strings.Join(data, "\n"))
		}
	}
	return events
}
