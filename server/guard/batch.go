package guard

import (
	"bytes"
	"iter"
	"math"
	"mime"
	"net/http"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"mcpentra/server/jsonrpc"
)

// maxBatchAnswer is how many bytes the answer to one message of a batch may have. The guard buffers
// it until it is complete.
const maxBatchAnswer = 4 << 20

// textNotAnswered is also the error for a message whose answer has too many bytes.
const textNotAnswered = "the message was not answered"

// serveBatch runs the messages of a batch one after the other. It answers with an array of the
// responses, or with 202 if no message asks for one (2025-03-26, Streamable HTTP, Sending Messages
// to the Server). All messages have passed the gates before the first one runs. The array
// has no place for notifications of the handler, so they are left out.
//
// Each response is written when it is complete, so the guard buffers one at a time. Once the
// responses have maxAnswers bytes, no more messages run.
func (g *Guard) serveBatch(a *admission, r *http.Request) {
	answers := arrayWriter{w: &a.answer}
	delete(r.Header, "Accept-Encoding") // the guard reads the answers
	left := g.maxAnswers
	if left < 0 {
		left = math.MaxInt64
	}
	full := false
	for _, m := range a.batch {
		var response jsontext.Value
		switch {
		case r.Context().Err() != nil:
			response = failure(m, "the batch ended before this message")
		case full:
			response = failure(m, "the batch has too many bytes of answers, so this message was not run")
		default:
			answer := &messageAnswer{header: make(http.Header), limit: min(maxBatchAnswer, left)}
			g.serveMessage(answer, withBody(r, m.Encoded))
			if id := line(answer.header, sessionHeader); isSessionID(id) {
				a.sessionOpened(id)
			}
			response = answer.response(m)
			full = answer.exceeded && left < maxBatchAnswer
		}
		if m.IsRequest() {
			answers.add(response)
			left = max(left-int64(len(response)), 0)
		}
		full = full || left == 0
	}
	answers.end()
	if full {
		g.logLimit(r, a.caller, &limitError{
			status:  http.StatusOK,
			what:    "too many bytes of answers in a batch",
			limit:   g.maxAnswers,
			setting: "MCP_BATCH_ANSWERS",
		})
	}
}

// serveMessage runs the handler for one message. If the handler cuts its answer off
// (http.ErrAbortHandler), only this message has no answer.
func (g *Guard) serveMessage(answer *messageAnswer, r *http.Request) {
	defer func() {
		switch problem := recover(); problem {
		case nil:
		case http.ErrAbortHandler:
			answer.body = bytes.Buffer{}
		default:
			panic(problem)
		}
	}()
	g.next.ServeHTTP(answer, r)
}

// An arrayWriter answers with a JSON array, element by element.
type arrayWriter struct {
	w       http.ResponseWriter
	started bool
}

// add writes an element. It ignores errors: if the client has gone, the request's context ends the
// batch.
func (a *arrayWriter) add(element jsontext.Value) {
	before := []byte(",")
	if !a.started {
		a.started = true
		before = []byte("[")
		a.w.Header().Set("Content-Type", "application/json")
		a.w.Header().Set("X-Content-Type-Options", "nosniff")
		a.w.WriteHeader(http.StatusOK)
	}
	_, _ = a.w.Write(before)
	_, _ = a.w.Write(element)
}

// end closes the array. Without elements it answers with 202.
func (a *arrayWriter) end() {
	if !a.started {
		a.w.WriteHeader(http.StatusAccepted)
		return
	}
	_, _ = a.w.Write([]byte("]\n"))
}

// failure is the response to a message that the handler did not answer.
func failure(m *jsonrpc.Message, why string) jsontext.Value {
	err := jsonrpc.Error{Code: jsonrpc.CodeInternal, Message: why, ID: m.ID}
	return err.Response()
}

// A messageAnswer is an http.ResponseWriter that buffers the answer to one message.
type messageAnswer struct {
	header   http.Header
	limit    int64 // of the body, in bytes
	status   int
	body     bytes.Buffer
	exceeded bool // the limit
}

func (a *messageAnswer) Header() http.Header { return a.header }

func (a *messageAnswer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

func (a *messageAnswer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	if a.exceeded || int64(a.body.Len()+len(p)) > a.limit {
		a.exceeded = true
		a.body = bytes.Buffer{} // the caller gets an error in its place
		return len(p), nil
	}
	return a.body.Write(p)
}

// Flush does nothing. Handlers that answer with a stream need it.
func (a *messageAnswer) Flush() {}

// response finds the response in the answer, which is one JSON object or a stream of events
// (text/event-stream). An answer without it becomes an error.
func (a *messageAnswer) response(m *jsonrpc.Message) jsontext.Value {
	if a.exceeded {
		return failure(m, textNotAnswered)
	}
	candidates := slices.Values([][]byte{a.body.Bytes()})
	mediaType, _, err := mime.ParseMediaType(a.header.Get("Content-Type"))
	if err == nil && mediaType == "text/event-stream" {
		candidates = eventData(a.body.Bytes())
	}
	for candidate := range candidates {
		if response, found := jsonrpc.ReadResponse(candidate, m.ID); found {
			return response
		}
	}
	return failure(m, textNotAnswered)
}

// byteOrderMark may come before a stream.
var byteOrderMark = []byte("\ufeff")

// eventData yields the data of each event, with its lines joined (WHATWG HTML, server-sent events).
// It joins them in the stream's own memory, so an answer of many short lines costs no more memory
// than its size.
func eventData(stream []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		stream = bytes.TrimPrefix(stream, byteOrderMark)
		data := stream[:0]
		found := false
		for len(stream) > 0 {
			var line []byte
			line, stream = cutLine(stream)
			if rest, isData := bytes.CutPrefix(line, []byte("data:")); isData {
				if found {
					data = append(data, '\n')
				}
				data = append(data, bytes.TrimPrefix(rest, []byte(" "))...)
				found = true
			}
			if len(line) > 0 && len(stream) > 0 {
				continue
			}
			// The capacity ends here, so that appending to the data cannot overwrite the next
			// event.
			if found && !yield(data[:len(data):len(data)]) {
				return
			}
			data = stream[:0]
			found = false
		}
	}
}

// cutLine splits a stream after its first line, which ends with CR, LF or both.
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
