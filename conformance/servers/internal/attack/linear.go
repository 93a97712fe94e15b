package attack

import (
	"context"
	"fmt"
	"strings"
	"time"

	"mcpentra/conformance/servers/internal/bench"
)

// A text counts as parsed in superlinear time if it takes longer than tooSlow, and slowerTimes as
// long as harmless text of the same length. The best of several rounds counts, so a busy machine
// does not matter.
const (
	textRounds  = 4
	headerText  = 30 << 10 // bytes; servers bound the head of a request
	bodyText    = 256 << 10
	tooSlow     = 200 * time.Millisecond
	slowerTimes = 10
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

// manyMembers returns a body with as many different members as fit.
func manyMembers() string {
	var text strings.Builder
	text.WriteString(`{"jsonrpc":"2.0","id":1,"method":"ping","params":{`)
	for i := 0; text.Len() < bodyText; i++ {
		fmt.Fprintf(&text, `"%d":1,`, i)
	}
	text.WriteString(`"a":1}}`)
	return text.String()
}

// Linear compares hostile texts with harmless ones of the same length in the same place.
func Linear(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	for _, header := range hostileHeaders() {
		with := func(text string) bench.Request {
			request := WithToken(trial.Token, trial.Request())
			request.Header.Set(header.name, text)
			return request
		}
		value := header.text(headerText)
		harmless := with(strings.Repeat("a", len(value)))
		if err := wantAsQuick(ctx, p, "a long "+header.name, with(value), harmless); err != nil {
			return err
		}
	}
	read := func(uri string) bench.Request {
		return WithToken(trial.Token, trial.Session.Message("resources/read", map[string]any{"uri": uri}))
	}
	harmless := read("a://" + strings.Repeat("a", bodyText))
	for _, uri := range hostileURIs() {
		if err := wantAsQuick(ctx, p, uri.name, read(uri.text(bodyText)), harmless); err != nil {
			return err
		}
	}
	ping := func(body string) bench.Request {
		request := WithToken(trial.Token, trial.Session.Message("ping", nil))
		request.Body = []byte(body)
		return request
	}
	for _, message := range hostileMessages() {
		if err := wantAsQuick(ctx, p, message.name, ping(message.text(bodyText)), harmless); err != nil {
			return err
		}
	}
	if err := wantAsQuick(ctx, p, "members", ping(manyMembers()), harmless); err != nil {
		return err
	}
	return StillServes(ctx, p, trial)
}

// wantAsQuick wants a hostile request answered about as quickly as a harmless one. The first quick
// answer decides.
func wantAsQuick(ctx context.Context, p *bench.Probe, name string, hostile, harmless bench.Request) error {
	fastest := time.Hour
	fastestHarmless := time.Hour
	for range textRounds {
		took, err := measure(ctx, p, name, hostile)
		if err != nil {
			return err
		}
		fastest = min(fastest, took)
		took, err = measure(ctx, p, name, harmless)
		if err != nil {
			return err
		}
		fastestHarmless = min(fastestHarmless, took)
		if fastest < tooSlow || fastest < slowerTimes*fastestHarmless {
			return nil
		}
	}
	return p.Mismatch(
		fmt.Sprintf("no more time for %s than for harmless text of the same length", name),
		fmt.Sprintf("%v against %v, the best of %d",
			fastest.Round(time.Millisecond), fastestHarmless.Round(time.Millisecond), textRounds),
	)
}

// measure returns how long an answer takes. A closed connection is an answer; its error counts only
// when the check has ended.
func measure(ctx context.Context, p *bench.Probe, name string, request bench.Request) (time.Duration, error) {
	began := time.Now()
	answer, err := p.Send(ctx, request)
	took := time.Since(began)
	switch {
	case ctx.Err() != nil:
		return 0, err
	case err == nil && IsBroken(answer):
		return 0, p.Mismatch("a refusal or the result: "+name, fmt.Sprintf("status %d", answer.Status))
	}
	return took, nil
}
