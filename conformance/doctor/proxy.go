package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// The sizes that a proxy must let through, in bytes.
const (
	usualBody  = 64 << 10 // a message with some text
	largeBody  = 2 << 20  // a message with a file; the default limit of nginx is 1 MiB
	largeToken = 6 << 10  // a token of Entra ID with many groups
)

// proxySeen is what the step proxy collects.
type proxySeen struct {
	w          *walk
	usual      *answer // to a message of usualBody bytes
	large      *answer // to the announcement of largeBody bytes
	token      *answer // to a token of largeToken bytes
	compressed *answer // to a request that accepts gzip
}

func (w *walk) proxy(ctx context.Context, step *Step) bool {
	first := w.challenged.first
	if first.status != http.StatusUnauthorized && !w.challenged.isServed() {
		step.fine("proxy-not-tried", "the endpoint gives no usual answer")
		return true
	}
	address := w.endpoint.String()
	seen := &proxySeen{w: w}
	if name := w.proxyName(); name != "" {
		step.did("The answers name the proxy %s", name)
	}
	seen.usual = w.message(ctx, address, initialize+strings.Repeat(" ", usualBody), nil)
	step.did("POST a message of 64 KiB: %s", w.says(seen.usual))
	seen.large = w.announce(ctx, address)
	said := "not refused" // other answers depend on who is faster, the server or the proxy
	if seen.large.status == http.StatusRequestEntityTooLarge {
		said = w.says(seen.large)
	}
	step.did("Announce a message of 2 MiB: %s", said)
	token := "Bearer " + falseToken + strings.Repeat("x", largeToken)
	seen.token = w.message(ctx, address, initialize, http.Header{"Authorization": {token}})
	step.did("POST with a false token of 6 KiB: %s", w.says(seen.token))
	seen.compressed = w.message(ctx, address, initialize, http.Header{"Accept-Encoding": {"gzip"}})
	step.did("POST that accepts gzip: %s", w.says(seen.compressed))
	diagnose(step, seen, proxySymptoms)
	step.fine("proxy-fine", "messages and tokens of usual size come through")
	return true
}

// proxyName returns nginx or Caddy if the answers name it.
func (w *walk) proxyName() string {
	if w.challenged == nil {
		return ""
	}
	header := w.challenged.first.header
	names := strings.ToLower(strings.Join(append(header.Values("Server"), header.Values("Via")...), " "))
	switch {
	case strings.Contains(names, "nginx"), strings.Contains(names, "openresty"):
		return "nginx"
	case strings.Contains(names, "caddy"):
		return "Caddy"
	}
	return ""
}

// withoutOthers leaves out the lines of proxies that the deployment does not have.
func (w *walk) withoutOthers() {
	other := map[string]string{"nginx": "Caddy", "Caddy": "nginx"}[w.proxyName()]
	if other == "" {
		return
	}
	for i := range w.report.Steps {
		for j := range w.report.Steps[i].Findings {
			finding := &w.report.Steps[i].Findings[j]
			isOther := func(fix Fix) bool { return fix.Place == ProxyLine && strings.Contains(fix.Where, other) }
			if left := slices.DeleteFunc(slices.Clone(finding.Fixes), isOther); len(left) > 0 {
				finding.Fixes = left
			}
		}
	}
}

// errUnsent is the end of a body that is announced and never sent.
var errUnsent = errors.New("the server wants the body")

// unsent is a body that is never sent.
type unsent struct{}

func (unsent) Read([]byte) (int, error) { return 0, errUnsent }

// announce announces a large body, and looks whether the proxy refuses it (RFC 9110 section
// 10.1.1). It sends no body. An answer with errUnsent means that the body would be taken.
func (w *walk) announce(ctx context.Context, address string) *answer {
	return w.ask(ctx, question{
		method:  http.MethodPost,
		address: address,
		header:  http.Header{"Content-Type": {"application/json"}, "Expect": {"100-continue"}},
		stream:  io.Reader(unsent{}),
		length:  largeBody,
	})
}

// isLimit reports whether a proxy refuses a size, and does not refuse a small one alike.
func (s *proxySeen) isLimit(a, small *answer) bool {
	if small != nil && small.status == a.status {
		return false
	}
	statuses := []int{
		http.StatusBadRequest,
		http.StatusRequestEntityTooLarge,
		http.StatusRequestURITooLong,
		http.StatusRequestHeaderFieldsTooLarge,
		494, // nginx: request header too large
	}
	return slices.Contains(statuses, a.status) || a.status >= http.StatusInternalServerError
}

func (s *proxySeen) seesBodyLimit() string {
	if !s.isLimit(s.usual, s.w.challenged.first) {
		return ""
	}
	return "a message of 64 KiB gets " + s.w.says(s.usual)
}

func (s *proxySeen) seesLowLimit() string {
	if s.isLimit(s.usual, s.w.challenged.first) || s.large.status != http.StatusRequestEntityTooLarge {
		return ""
	}
	return "a message of 2 MiB gets " + s.w.says(s.large)
}

func (s *proxySeen) seesHeaderLimit() string {
	if !s.isLimit(s.token, s.w.challenged.withFalse) {
		return ""
	}
	return "a token of 6 KiB gets " + s.w.says(s.token)
}

func (s *proxySeen) seesCompression() string {
	encoding := s.compressed.header.Get("Content-Encoding")
	if encoding == "" || encoding == "identity" {
		return ""
	}
	return fmt.Sprintf("the answer of the endpoint is compressed (%s)", s.w.secrets.Shown(encoding))
}

func (s *proxySeen) seesCache() string {
	for _, a := range []*answer{s.w.challenged.first, s.compressed, s.usual} {
		age, _ := strconv.Atoi(a.header.Get("Age"))
		stored := strings.ToUpper(a.header.Get("X-Cache") + " " + a.header.Get("Cf-Cache-Status") + " " +
			a.header.Get("X-Proxy-Cache") + " " + a.header.Get("X-Cache-Status"))
		if age > 0 || slices.Contains(strings.Fields(stored), "HIT") {
			return "the answer of the endpoint comes from a cache"
		}
	}
	return ""
}

var proxySymptoms = []symptom[*proxySeen]{
	{
		code:    "body-limit",
		kind:    Fault,
		seen:    (*proxySeen).seesBodyLimit,
		why:     "Calls of tools with some text are larger than that.",
		effects: everyClient("small calls work, and larger ones fail with a status that says nothing to the model"),
		fixes:   fixProxyBody,
	},
	{
		code:    "body-limit-low",
		kind:    Warning,
		seen:    (*proxySeen).seesLowLimit,
		why:     "A call with a file has the file in base64. The default limit of nginx is 1 MiB.",
		effects: everyClient("calls with files fail"),
		fixes:   fixProxyBody,
	},
	{
		code: "header-limit",
		kind: Fault,
		seen: (*proxySeen).seesHeaderLimit,
		why:  "Tokens of Entra ID reach 6 KiB for people in many groups.",
		effects: []Effect{
			{"all clients", "the sign-in works, and calls fail for people in many groups only"},
		},
		fixes: fixProxyHeader,
	},
	{
		code: "answers-compressed",
		kind: Warning,
		seen: (*proxySeen).seesCompression,
		why: "A proxy that compresses event streams holds events back until its buffer is full. It must leave out " +
			"text/event-stream.",
		effects: []Effect{{"Claude, Cursor, VS Code, Inspector", "progress and answers come late, or after a timeout"}},
		fixes:   fixCompression,
	},
	{
		code:    "answers-cached",
		kind:    Fault,
		seen:    (*proxySeen).seesCache,
		why:     "One client gets the answer to another one. A cached 401 makes clients sign in again and again.",
		effects: everyClient("they sign in in a circle, or see the answers of other people"),
		fixes:   fixCache,
	},
}

func fixProxyBody(*proxySeen) []Fix {
	return []Fix{
		nginxFix("client_max_body_size 8m;"),
		caddyFix("request_body {", "\tmax_size 8MB", "}"),
	}
}

func fixProxyHeader(*proxySeen) []Fix {
	return []Fix{
		nginxFix("large_client_header_buffers 4 32k;   # in the server block"),
		caddyFix("{", "\tservers {", "\t\tmax_header_size 64KB", "\t}", "}"),
	}
}

func fixCompression(*proxySeen) []Fix {
	return []Fix{
		nginxFix("gzip off;", "proxy_buffering off;"),
		caddyFix("# remove encode for the path of the endpoint"),
	}
}

func fixCache(*proxySeen) []Fix {
	return []Fix{
		nginxFix("proxy_cache off;"),
		codeFix("Cache-Control: no-store"),
		{ProxyLine, "the content delivery network", "bypass the cache for the endpoint and for /.well-known/"},
	}
}
