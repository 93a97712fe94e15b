package guard

import (
	"bytes"
	"iter"
	"math"
	"mime"
	"net/http"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// maxBatchAnswer bounds what is kept of one message's answer until it is complete.
const maxBatchAnswer = 4 << 20

// sayNotAnswered is also the answer to a message whose own answer has too many bytes.
const sayNotAnswered = "the message was not answered"

// serveBatch runs the messages of a batch one after the other, and answers with an array of the
// responses, or with 202 when nothing in the batch wants one (2025-03-26, Streamable HTTP, sending
// messages to the server). All messages have been judged before the first one runs. Notifications
// that the handler sends while it works have no place in such an answer and are left out.
//
// Each response is written when it is complete, so no more than one is in memory. Once they have
// maxAnswers bytes, no more messages run.
func (g *Guard) serveBatch(w *answerWriter, r *http.Request, messages []*message) {
	answers := arrayWriter{w: w}
	delete(r.Header, "Accept-Encoding") // the answers are read here
	left := g.maxAnswers
	if left < 0 {
		left = math.MaxInt64
	}
	full := false
	for _, m := range messages {
		var answer jsontext.Value
		switch {
		case r.Context().Err() != nil:
			answer = failure(m, "the batch ended before this message")
		case full:
			answer = failure(m, "the batch has too many bytes of answers, so this message was not run")
		default:
			kept := &keptAnswer{header: make(http.Header), limit: min(maxBatchAnswer, left)}
			g.serveKept(kept, withBody(r, m.encoded))
			if id := line(kept.header, sessionHeader); isSessionID(id) {
				w.waiting.whose.sessionBegan(id)
			}
			answer = kept.response(m)
			full = kept.over && left < maxBatchAnswer
		}
		if m.isRequest() {
			answers.add(answer)
			left = max(left-int64(len(answer)), 0)
		}
		full = full || left == 0
	}
	answers.end()
	caller, known := FromContext(r.Context())
	if full && known {
		g.logLimit(r, caller, &limitError{
			http.StatusOK, "too many bytes of answers in a batch", g.maxAnswers, "MCP_BATCH_ANSWERS",
		})
	}
}

// serveKept runs the handler. A handler that breaks an answer off (http.ErrAbortHandler) has not
// answered one message; the others have their own answers.
func (g *Guard) serveKept(kept *keptAnswer, r *http.Request) {
	defer func() {
		switch broken := recover(); broken {
		case nil:
		case http.ErrAbortHandler:
			kept.body = bytes.Buffer{}
		default:
			panic(broken)
		}
	}()
	g.next.ServeHTTP(kept, r)
}

// An arrayWriter answers with a JSON array, element by element.
type arrayWriter struct {
	w     http.ResponseWriter
	begun bool
}

// add writes an element. A caller who is gone cannot be told, and the request's context ends the
// batch.
func (a *arrayWriter) add(element jsontext.Value) {
	before := []byte(",")
	if !a.begun {
		a.begun = true
		before = []byte("[")
		a.w.Header().Set("Content-Type", "application/json")
		a.w.Header().Set("X-Content-Type-Options", "nosniff")
		a.w.WriteHeader(http.StatusOK)
	}
	_, _ = a.w.Write(before)
	_, _ = a.w.Write(element)
}

// end closes the array, or says that there is nothing to answer.
func (a *arrayWriter) end() {
	if !a.begun {
		a.w.WriteHeader(http.StatusAccepted)
		return
	}
	_, _ = a.w.Write([]byte("]\n"))
}

// failure is the response to a message that was not answered otherwise.
func failure(m *message, why string) jsontext.Value {
	failed, err := json.Marshal(errorResponse(&rpcError{code: codeInternal, message: why, id: m.id}))
	if err != nil {
		return jsontext.Value("null")
	}
	return failed
}

// keptAnswer is an http.ResponseWriter that keeps the answer to one message.
type keptAnswer struct {
	header http.Header
	limit  int64 // of the body, in bytes
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
	if k.over || int64(k.body.Len()+len(p)) > k.limit {
		k.over = true
		k.body = bytes.Buffer{} // it will not be answered with
		return len(p), nil
	}
	return k.body.Write(p)
}

// Flush is what handlers that answer with a stream ask for; there is nobody to flush to yet.
func (k *keptAnswer) Flush() {}

// response finds the JSON-RPC response in the answer, which may be one JSON object or a stream of
// events (text/event-stream). Where there is none, the message failed.
func (k *keptAnswer) response(m *message) jsontext.Value {
	if k.over {
		return failure(m, sayNotAnswered)
	}
	candidates := slices.Values([][]byte{k.body.Bytes()})
	mediaType, _, err := mime.ParseMediaType(k.header.Get("Content-Type"))
	if err == nil && mediaType == "text/event-stream" {
		candidates = eventData(k.body.Bytes())
	}
	for candidate := range candidates {
		value := jsontext.Value(bytes.TrimSpace(candidate))
		// The same spelling as the request's, or ids would differ by their escapes.
		if value.Compact(jsontext.PreserveRawStrings(false)) != nil {
			continue
		}
		var answered message
		refused := answered.decode(value)
		if refused == nil && answered.method == nil && bytes.Equal(answered.id, m.id) {
			return value
		}
	}
	return failure(m, sayNotAnswered)
}

// byteOrderMark may begin a stream, and is no part of it.
var byteOrderMark = []byte("\ufeff")

// eventData yields the data of each event, with its lines joined (WHATWG HTML, server-sent events).
// It joins them in the stream's own memory: an answer of many short lines must not cost many times
// its size.
func eventData(stream []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		stream = bytes.TrimPrefix(stream, byteOrderMark)
		data := stream[:0]
		found := false
		for len(stream) > 0 {
			var line []byte
			line, stream = cutLine(stream)
			if rest, is := bytes.CutPrefix(line, []byte("data:")); is {
				if found {
					data = append(data, '\n')
				}
				data, found = append(data, bytes.TrimPrefix(rest, []byte(" "))...), true
			}
			if len(line) > 0 && len(stream) > 0 {
				continue
			}
			// The capacity ends here, so that appending to the data cannot write over the next
			// event.
			if found && !yield(data[:len(data):len(data)]) {
				return
			}
			data = stream[:0]
			found = false
		}
	}
}

// cutLine is the first line of a stream, which may end with CR, LF or both, and what follows it.
func cutLine(stream []byte) (line, rest []byte) {
	end := bytes.IndexAny(stream, "\r\n")
	if end < 0 {
		return stream, nil
	}
	line = stream[:end]
	rest = stream[end+1:]
	if stream[end] == '\r' {
		rest = bytes.TrimPrefix(rest, []byte("\n"))
	}
	return line, rest
}
