package attack

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"mcpentra/conformance/servers/internal/bench"
)

// What is too long for a text, and what a harmless one of its length may take less: a parser that
// goes through n bytes n times does either with these sizes, and one that goes through them once
// does neither, however busy the machine is, since the best of several rounds counts.
const (
	textRounds  = 4
	headerText  = 30 << 10 // bytes; servers bound their heads
	bodyText    = 256 << 10
	tooSlow     = 200 * time.Millisecond
	slowerTimes = 10
)

// repeatedly fills a size with a text.
func repeatedly(before, text, after string, size int) string {
	return before + strings.Repeat(text, (size-len(before)-len(after))/len(text)) + after
}

// hostileHeaders are values that parsers of these headers have gone through again and again.
func hostileHeaders() map[string][]string {
	texts := map[string][][3]string{
		"Accept":          {{"", "a/b;q=0.1,", ""}, {"", ",", ""}, {"text/", ";a=\"", ""}, {"", " ", "x"}},
		"Accept-Encoding": {{"", "gzip;q=0,", ""}},
		"Accept-Language": {{"", "a-", ""}},
		"Authorization": {
			{"Bearer a=\"", "\\", ""},
			{"Bearer ", "a=\"\",", ""},
			{"Bearer", " ", "x"},
			{"Bearer ", ".", ""},
			{"Bearer ", "e30.", ""},
			{"Bearer ", "=", ""},
		},
		"Cookie":           {{"", "a=b; ", ""}, {"a=\"", "\\\"", ""}},
		"Forwarded":        {{"", "for=a;by=b,", ""}, {"for=\"", "\\\"", ""}},
		"X-Forwarded-For":  {{"", "1.1.1.1, ", ""}, {"", ",", ""}},
		"X-Forwarded-Host": {{"", "a.", ""}},
		"Origin":           {{"http://", "a.", ""}, {"http://", "[", ""}, {"", "%25", ""}},
		"Content-Type": {
			{"application/json;", "a=b;", ""},
			{"application/json;a=\"", "\\\"", ""},
			{"application/json;", "a*0*=", ""},
		},
		"If-None-Match":        {{"", "W/\"a\",", ""}},
		"Last-Event-Id":        {{"", "_", ""}, {"", "0", ""}},
		"Mcp-Session-Id":       {{"", ".", ""}, {"", "a", "!"}},
		"Mcp-Name":             {{"=?base64?", "A", "?="}, {"", "=?base64?", ""}, {"", "%25", ""}},
		"Mcp-Protocol-Version": {{"2025-", "1", ""}, {"", "-", ""}},
	}
	values := map[string][]string{}
	for name, all := range texts {
		for _, one := range all {
			values[name] = append(values[name], repeatedly(one[0], one[1], one[2], headerText))
		}
	}
	return values
}

// hostileBodies are messages whose texts parsers have gone through again and again: of JSON, of
// URIs and their templates.
func hostileBodies(p *bench.Probe, session *bench.Session) map[string]bench.Request {
	bodies := map[string]bench.Request{}
	for name, text := range map[string][3]string{
		"braces in a URI":      {"a://", "{", ""},
		"templates in a URI":   {"a://", "{a}/{a*}", ""},
		"commas in a template": {"a://{", "a,", "}"},
		"slashes in a URI":     {"a:", "/", ""},
		"dots in a URI":        {"a://b/", "../", ""},
		"percents in a URI":    {"a://b/", "%25", ""},
		"escapes in a text":    {"", `"\`, ""},
	} {
		bodies[name] = session.Message(
			"resources/read",
			map[string]any{"uri": repeatedly(text[0], text[1], text[2], bodyText)},
		)
	}
	for name, text := range map[string][3]string{
		"members":                   {`{"jsonrpc":"2.0","id":1,"method":"ping","params":{`, `"%d":1,`, `"a":1}}`},
		"blanks":                    {"{", " ", `"jsonrpc":"2.0","id":1,"method":"ping"}`},
		"brackets that never close": {`{"jsonrpc":"2.0","id":1,"method":"ping","params":`, `[`, ""},
		"digits":                    {`{"jsonrpc":"2.0","method":"ping","id":`, "9", "}"},
		"digits of an exponent":     {`{"jsonrpc":"2.0","method":"ping","id":1e`, "9", "}"},
	} {
		request := session.Message("ping", nil)
		body := repeatedly(text[0], text[1], text[2], bodyText)
		if strings.Contains(body, "%d") {
			body = text[0]
			for i := 0; len(body) < bodyText-len(text[2]); i++ {
				body += fmt.Sprintf(text[1], i)
			}
			body += text[2]
		}
		request.Body = []byte(body)
		bodies[name] = request
	}
	return bodies
}

// Linear compares hostile texts with harmless ones of the same length in the same place.
func Linear(ctx context.Context, p *bench.Probe) error {
	trial, err := p.Trial(ctx)
	if err != nil {
		return err
	}
	headers := hostileHeaders()
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		for _, value := range headers[name] {
			carrying := func(text string) bench.Request {
				request := trial.Request()
				request.Header.Set("Authorization", "Bearer "+trial.Token)
				request.Header.Set(name, text)
				return request
			}
			if err := asQuick(
				ctx,
				p,
				"a long "+name,
				carrying(value),
				carrying(strings.Repeat("a", len(value))),
			); err != nil {
				return err
			}
		}
	}
	bodies := hostileBodies(p, trial.Session)
	for _, name := range slices.Sorted(maps.Keys(bodies)) {
		hostile := bodies[name]
		hostile.Header.Set("Authorization", "Bearer "+trial.Token)
		harmless := trial.Session.Message(
			"resources/read",
			map[string]any{"uri": "a://" + strings.Repeat("a", bodyText)},
		)
		harmless.Header.Set("Authorization", "Bearer "+trial.Token)
		if err := asQuick(ctx, p, name, hostile, harmless); err != nil {
			return err
		}
	}
	return Afterwards(ctx, p, trial)
}

// asQuick wants one request answered about as quickly as another. The first answer in good time
// settles it.
func asQuick(ctx context.Context, p *bench.Probe, name string, hostile, harmless bench.Request) error {
	best := map[bool]time.Duration{true: time.Hour, false: time.Hour}
	for range textRounds {
		for _, isHostile := range []bool{true, false} {
			request := harmless
			if isHostile {
				request = hostile
			}
			began := time.Now()
			answer, err := p.Send(ctx, request)
			if ctx.Err() != nil {
				return err
			}
			best[isHostile] = min(best[isHostile], time.Since(began))
			if err == nil && answer.Status >= http.StatusInternalServerError &&
				answer.Status != http.StatusServiceUnavailable {
				return p.Mismatch("a refusal or the result: "+name, fmt.Sprintf("status %d", answer.Status))
			}
		}
		if best[true] < tooSlow || best[true] < slowerTimes*best[false] {
			return nil
		}
	}
	return p.Mismatch(
		fmt.Sprintf("no more time for %s than for a harmless text of the length", name),
		fmt.Sprintf(
			"%v against %v, the best of %d",
			best[true].Round(time.Millisecond),
			best[false].Round(time.Millisecond),
			textRounds,
		))
}
