package doctor

import (
	"context"
	"errors"
)

// streamSeen is what the step stream collects.
type streamSeen struct {
	w   *walk
	get *answer // to GET with Accept: text/event-stream
}

func (w *walk) stream(_ context.Context, step *Step) bool {
	seen := &streamSeen{w: w, get: w.challenged.get}
	diagnose(step, seen, streamSymptoms)
	if seen.get.contentType() == "text/event-stream" && seen.get.status == 200 {
		step.fine("stream-opens", "the event stream opens at once")
	}
	step.fine("stream-protected",
		"the event stream needs a token; whether a proxy holds events back shows only after a sign-in")
	return true
}

func (s *streamSeen) seesHeldBack() string {
	if s.get.err == nil || !errors.Is(s.get.err, context.DeadlineExceeded) {
		return ""
	}
	return "POST is answered, and GET with Accept: text/event-stream gets not even a status: " + s.w.trouble(s.get.err)
}

func (s *streamSeen) seesCompressed() string {
	encoding := s.get.header.Get("Content-Encoding")
	if s.get.contentType() != "text/event-stream" || encoding == "" || encoding == "identity" {
		return ""
	}
	return "the event stream is compressed, although the request did not allow that"
}

func (s *streamSeen) seesGateway() string {
	if s.get.status < 500 || s.w.challenged.first.status >= 500 {
		return ""
	}
	return "POST is answered, and GET with Accept: text/event-stream gets " + s.w.says(s.get)
}

var streamSymptoms = []symptom[*streamSeen]{
	{
		code: "stream-held-back",
		kind: Fault,
		seen: (*streamSeen).seesHeldBack,
		why:  "A proxy buffers the answer until it is complete. An event stream never is.",
		effects: []Effect{
			{"Claude, Cursor, VS Code, Inspector", "they wait for the stream, then report a timeout"},
		},
		fixes: fixBuffering,
	},
	{
		code:    "stream-compressed",
		kind:    Fault,
		seen:    (*streamSeen).seesCompressed,
		why:     "A compressing proxy holds events back until its buffer is full, and not every client decompresses.",
		effects: everyClient("events come late, or cannot be read"),
		fixes:   fixBuffering,
	},
	{
		code:    "stream-fails",
		kind:    Fault,
		seen:    (*streamSeen).seesGateway,
		why:     "The proxy or the server has no way for GET. A server without streams answers 405.",
		effects: everyClient("some report an error at the start, and none gets notifications"),
		fixes:   fixBuffering,
	},
}

func fixBuffering(*streamSeen) []Fix {
	return []Fix{
		nginxFix("proxy_buffering off;", "proxy_http_version 1.1;", "proxy_set_header Connection \"\";",
			"proxy_read_timeout 1h;", "gzip off;"),
		caddyFix("reverse_proxy localhost:8000 {", "\tflush_interval -1", "}"),
		codeFix("X-Accel-Buffering: no"),
	}
}
