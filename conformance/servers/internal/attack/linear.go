package attack

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"mcpentra/conformance/servers/internal/bench"
)

// A text counts as parsed in superlinear time if it takes longer than tooSlow, slowerTimes as long
// as harmless text of the same length, and superlinear times as long as half of it. Twice the text
// takes twice the time in linear time, and four times the time in quadratic time. The best of
// several rounds counts, and the median of the harmless text: on a busy machine one quick answer
// proves nothing. For the same reason, most rounds by themselves have to take mostlySuperlinear
// times as long. Further rounds follow until textTime is over.
const (
	textRounds  = 4
	mostRounds  = 12
	textTime    = 20 * time.Second
	headerText  = 30 << 10 // bytes; servers bound the head of a request
	bodyText    = 256 << 10
	tooSlow     = 200 * time.Millisecond
	slowerTimes = 10
	superlinear = 2.8
	// mostlySuperlinear is less: a single round is less certain than the best of all.
	mostlySuperlinear = 2.4
)

// A pattern is a text that is repeated between two others until it has a size.
type pattern struct {
	name   string // the header, or the text in words
	before string
	repeat string
	after  string
}

func (t *pattern) text(size int) string {
	return t.before + strings.Repeat(t.repeat, (size-len(t.before)-len(t.after))/len(t.repeat)) + t.after
}

// hostileHeaders returns values that parsers of these headers have scanned again and again.
func hostileHeaders() []pattern {
	return []pattern{
		{"Accept", "", "a/b;q=0.1,", ""},
		{"Accept", "", ",", ""},
		{"Accept", "text/", ";a=\"", ""},
		{"Accept", "", " ", "x"},
		{"Accept-Encoding", "", "gzip;q=0,", ""},
		{"Accept-Language", "", "a-", ""},
		{"Authorization", "Bearer a=\"", "\\", ""},
		{"Authorization", "Bearer ", "a=\"\",", ""},
		{"Authorization", "Bearer", " ", "x"},
		{"Authorization", "Bearer ", ".", ""},
		{"Authorization", "Bearer ", "e30.", ""},
		{"Authorization", "Bearer ", "=", ""},
		{"Content-Type", "application/json;", "a=b;", ""},
		{"Content-Type", "application/json;a=\"", "\\\"", ""},
		{"Content-Type", "application/json;", "a*0*=", ""},
		{"Cookie", "", "a=b; ", ""},
		{"Cookie", "a=\"", "\\\"", ""},
		{"Forwarded", "", "for=a;by=b,", ""},
		{"Forwarded", "for=\"", "\\\"", ""},
		{"If-None-Match", "", "W/\"a\",", ""},
		{"Last-Event-Id", "", "_", ""},
		{"Last-Event-Id", "", "0", ""},
		{"Mcp-Name", "=?base64?", "A", "?="},
		{"Mcp-Name", "", "=?base64?", ""},
		{"Mcp-Name", "", "%25", ""},
		{"Mcp-Protocol-Version", "2025-", "1", ""},
		{"Mcp-Protocol-Version", "", "-", ""},
		{"Mcp-Session-Id", "", ".", ""},
		{"Mcp-Session-Id", "", "a", "!"},
		{"Origin", "http://", "a.", ""},
		{"Origin", "http://", "[", ""},
		{"Origin", "", "%25", ""},
		{"X-Forwarded-For", "", "1.1.1.1, ", ""},
		{"X-Forwarded-For", "", ",", ""},
		{"X-Forwarded-Host", "", "a.", ""},
	}
}

// hostileURIs returns texts that parsers of URIs and of URI templates have scanned again and again.
func hostileURIs() []pattern {
	return []pattern{
		{"braces in a URI", "a://", "{", ""},
		{"templates in a URI", "a://", "{a}/{a*}", ""},
		{"commas in a template", "a://{", "a,", "}"},
		{"slashes in a URI", "a:", "/", ""},
		{"dots in a URI", "a://b/", "../", ""},
		{"percent signs in a URI", "a://b/", "%25", ""},
		{"escapes in a text", "", `"\`, ""},
	}
}

// hostileMessages returns bodies that parsers of JSON have scanned again and again.
func hostileMessages() []pattern {
	return []pattern{
		{"blanks", "{", " ", `"jsonrpc":"2.0","id":1,"method":"ping"}`},
		{"brackets that never close", `{"jsonrpc":"2.0","id":1,"method":"ping","params":`, `[`, ""},
		{"digits", `{"jsonrpc":"2.0","method":"ping","id":`, "9", "}"},
		{"digits of an exponent", `{"jsonrpc":"2.0","method":"ping","id":1e`, "9", "}"},
	}
}

// manyMembers returns a body with as many different members as fit into a size.
func manyMembers(size int) string {
	var text strings.Builder
	text.WriteString(`{"jsonrpc":"2.0","id":1,"method":"ping","params":{`)
	for i := 0; text.Len() < size; i++ {
		fmt.Fprintf(&text, `"%d":1,`, i)
	}
	text.WriteString(`"a":1}}`)
	return text.String()
}

// A timing compares a hostile text with a harmless one of the same length in the same place.
type timing struct {
	name     string
	hostile  func(size int) bench.Request // with a hostile text of a size
	size     int                          // in bytes
	harmless bench.Request                // with a harmless text of that size
}

// timings returns the texts that are compared.
func timings(trial *bench.Trial) []timing {
	var all []timing
	for _, header := range hostileHeaders() {
		with := func(text string) bench.Request {
			request := WithToken(trial.Token, trial.Request())
			request.Header.Set(header.name, text)
			return request
		}
		all = append(all, timing{
			name:     "a long " + header.name,
			hostile:  func(size int) bench.Request { return with(header.text(size)) },
			size:     headerText,
			harmless: with(strings.Repeat("a", len(header.text(headerText)))),
		})
	}
	read := func(uri string) bench.Request {
		return WithToken(trial.Token, trial.Session.Message("resources/read", map[string]any{"uri": uri}))
	}
	harmless := read("a://" + strings.Repeat("a", bodyText))
	inBody := func(name string, hostile func(size int) bench.Request) {
		all = append(all, timing{name: name, hostile: hostile, size: bodyText, harmless: harmless})
	}
	for _, uri := range hostileURIs() {
		inBody(uri.name, func(size int) bench.Request { return read(uri.text(size)) })
	}
	ping := func(body string) bench.Request {
		request := WithToken(trial.Token, trial.Session.Message("ping", nil))
		request.Body = []byte(body)
		return request
	}
	for _, message := range hostileMessages() {
		inBody(message.name, func(size int) bench.Request { return ping(message.text(size)) })
	}
	inBody("members", func(size int) bench.Request { return ping(manyMembers(size)) })
	return all
}

// Linear compares hostile texts with harmless ones of the same length in the same place.
func Linear(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	for _, timing := range timings(trial) {
		if err := timing.wantLinear(ctx, p); err != nil {
			return err
		}
	}
	return StillServes(ctx, p, trial)
}

// wantLinear wants the hostile text answered about as quickly as the harmless one, or a time that
// grows with the length only. The first quick answer decides.
func (t *timing) wantLinear(ctx context.Context, p *bench.Probe) error {
	var seen series
	for began := time.Now(); seen.wantsMore(time.Since(began)); {
		for _, next := range []struct {
			request bench.Request
			times   *[]time.Duration
		}{
			{t.hostile(t.size), &seen.hostile},
			{t.harmless, &seen.harmless},
			{t.hostile(t.size / 2), &seen.half},
		} {
			took, err := measure(ctx, p, t.name, next.request)
			if err != nil {
				return err
			}
			*next.times = append(*next.times, took)
			if seen.isQuick() {
				return nil
			}
		}
		if seen.isLinear() {
			return nil // the parser is slow, but linear
		}
	}
	if !seen.isSuperlinear() {
		return nil // the machine is too busy to say more
	}
	return p.Mismatch(
		fmt.Sprintf("no more time for %s than for harmless text, or twice the time for twice the length", t.name),
		fmt.Sprintf("%v against %v, and %.1f times the time for twice the length; the best of %d",
			slices.Min(seen.hostile).Round(time.Millisecond),
			median(seen.harmless).Round(time.Millisecond),
			seen.growth(),
			len(seen.half)),
	)
}

// A series holds the times of one text, of harmless text, and of half of the text. A round adds one
// of each, in this order.
type series struct {
	hostile  []time.Duration
	harmless []time.Duration
	half     []time.Duration
}

// wantsMore reports whether another round has to follow after a time.
func (s *series) wantsMore(spent time.Duration) bool {
	rounds := len(s.half)
	return rounds < textRounds || rounds < mostRounds && spent < textTime
}

// isQuick reports whether an answer to the hostile text was quick.
func (s *series) isQuick() bool {
	if len(s.harmless) == 0 {
		return false
	}
	fastest := slices.Min(s.hostile)
	return fastest < tooSlow || fastest < slowerTimes*median(s.harmless)
}

// growth returns the factor between the fastest answers to the text and to its half.
func (s *series) growth() float64 {
	return float64(slices.Min(s.hostile)) / float64(slices.Min(s.half))
}

// isLinear reports whether enough rounds show a time that grows as fast as the length.
func (s *series) isLinear() bool { return len(s.half) >= textRounds && s.growth() < superlinear }

// isSuperlinear also wants most of the rounds to show the growth. One quick answer to the half is
// chance on a busy machine.
func (s *series) isSuperlinear() bool {
	var growths []float64
	for i, half := range s.half {
		growths = append(growths, float64(s.hostile[i])/float64(half))
	}
	return s.growth() >= superlinear && median(growths) >= mostlySuperlinear
}

// measure returns how long an answer takes. A closed connection is an answer; its error counts only
// when the check has ended.
func measure(ctx context.Context, p *bench.Probe, name string, request bench.Request) (time.Duration, error) {
	began := time.Now()
	answer, err := p.Send(ctx, request)
	switch {
	case ctx.Err() != nil:
		return 0, err
	case err != nil:
		return time.Since(began), nil
	case IsBroken(answer):
		return 0, p.Mismatch("a refusal or the result: "+name, fmt.Sprintf("status %d", answer.Status))
	}
	return answer.Took, nil
}

// median returns the middle one of values, or the greater one of the two in the middle.
func median[T cmp.Ordered](values []T) T {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}
