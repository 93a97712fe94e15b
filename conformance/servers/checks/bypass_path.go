package checks

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
	"mcpentra/conformance/servers/internal/vocabulary"
)

// bypassPathChecks returns the checks of server/bypass about other paths to the same server.
func bypassPathChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/bypass/paths",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "MCP authorization, Access Token Usage; RFC 3986 section 6",
				Sentence: "No spelling of the endpoint's path leads past the token check, and no path that " +
					"often needs no token leads to the endpoint.",
				Covers: []string{"RS-012"},
			},
			Run: attack.WithAnyTrial(bypassPaths),
		},
		{
			Rule: check.Rule{
				ID:        "server/bypass/siblings",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "MCP authorization, Access Token Usage",
				Sentence: "The same server has no other endpoint that needs no token, in the form of this " +
					"transport or of the one of 2024-11-05.",
				Covers: []string{"RS-001", "RS-012"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    attack.WithTrial(bypassSiblings),
		},
	}
}

// endpointPaths fills in the paths of a list. It leaves out the endpoint itself.
func endpointPaths(list vocabulary.List, path string) []string {
	path = strings.TrimSuffix(path, "/")
	escape := func(format string) string {
		var text strings.Builder
		for _, b := range []byte(path) {
			if unicode.IsLetter(rune(b)) {
				fmt.Fprintf(&text, format, b)
				continue
			}
			text.WriteByte(b)
		}
		return text.String()
	}
	title := path
	if len(path) > 1 {
		title = path[:1] + strings.ToUpper(path[1:2]) + path[2:]
	}
	replacer := strings.NewReplacer(
		"{path}", path,
		"{upper}", strings.ToUpper(path),
		"{title}", title,
		"{encoded}", escape("%%%02x"),
		"{double}", escape("%%25%02x"),
	)
	var paths []string
	for _, name := range vocabulary.Names(list) {
		if filled := replacer.Replace(name); filled != path && filled != "" && strings.HasPrefix(filled, "/") {
			paths = append(paths, filled)
		}
	}
	return paths
}

// bypassPaths sends the request of the trial without a token to other spellings of the path. The
// server must serve nothing there. It may answer anything else.
func bypassPaths(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	endpoint, err := url.Parse(p.URL())
	if err != nil {
		return &check.CannotJudge{Reason: "the endpoint's URL is malformed", Err: err}
	}
	bases, err := attack.Bases(ctx, p, trial)
	if err != nil {
		return err
	}
	tried := map[string]bool{}
	for _, path := range spellings("/" + strings.TrimPrefix(endpoint.EscapedPath(), "/")) {
		tried[path] = true
		request := at(trial.Request(), endpoint.Scheme+"://"+endpoint.Host+path)
		answer, err := p.Send(ctx, request)
		if err != nil {
			return err
		}
		if trial.Ran(request) || answer.Succeeded() {
			return &check.Skipped{
				Of:     "server/credentials/path-variants",
				Reason: "the server serves other spellings of its path without a token",
			}
		}
	}
	var claims []attack.Claim
	for _, path := range endpointPaths(vocabulary.Spelling, endpoint.EscapedPath()) {
		if tried[path] {
			continue
		}
		claims = append(claims, attack.Claim{
			Name: "the path " + path,
			Slot: "path",
			Add: func(request *bench.Request, _ string) {
				request.URL = endpoint.Scheme + "://" + endpoint.Host + path
			},
		})
	}
	sweep := attack.Sweep{Claims: claims, Bases: bases[:min(2, len(bases))]}
	return sweep.Run(ctx, p, trial)
}

// bypassSiblings looks for the same server at other paths.
func bypassSiblings(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	endpoint, err := url.Parse(p.URL())
	if err != nil {
		return &check.CannotJudge{Reason: "the endpoint's URL is malformed", Err: err}
	}
	if _, err := attack.Bases(ctx, p, trial); err != nil {
		return err
	}
	control, err := p.Send(ctx, bench.Request{Header: bench.Bearer(trial.Token)})
	if err != nil {
		return err
	}
	origin := endpoint.Scheme + "://" + endpoint.Host
	search := &siblingSearch{probe: p, trial: trial, origin: origin, info: serverInfo(control.Body)}
	if search.info == "" && !trial.HasCanary() {
		return &check.NotApplicable{Reason: "the server does not name itself, so it cannot be recognized"}
	}
	isEndpoint := func(path string) bool { return strings.Trim(path, "/") == strings.Trim(endpoint.EscapedPath(), "/") }
	paths := slices.DeleteFunc(endpointPaths(vocabulary.Sibling, endpoint.EscapedPath()), isEndpoint)
	return tryFew(ctx, paths, func(path string) error { return search.at(ctx, path) })
}

// A siblingSearch recognizes the server under test at other paths.
type siblingSearch struct {
	probe  *bench.Probe
	trial  *bench.Trial
	origin string
	info   string // how the server names itself
}

// serverInfo returns the name of a server in the result of its first message, or "".
func serverInfo(body []byte) string {
	var message struct {
		Result struct {
			Info json.RawMessage `json:"serverInfo"`
			Meta map[string]any  `json:"_meta"`
		} `json:"result"`
	}
	_ = json.Unmarshal(body, &message) // another body has no name
	return string(message.Result.Info)
}

// at looks for the server at a path, without a token.
func (s *siblingSearch) at(ctx context.Context, path string) error {
	want := "no effect at " + path
	limited, cancel := context.WithTimeout(ctx, siblingTime)
	defer cancel()
	answer, err := s.probe.Send(limited, at(s.probe.First(), s.origin+path))
	if err != nil {
		return ctx.Err()
	}
	if answer.Succeeded() && s.info != "" && serverInfo(answer.Body) == s.info {
		return s.probe.Insecure(want, "the result of the first message, of the same server")
	}
	// A router has no POST at the path of a stream, so the name of the path decides then.
	isMissing := answer.Status == http.StatusNotFound
	if isMissing && !strings.Contains(path, "sse") && !strings.Contains(path, "stream") {
		return nil
	}
	request := at(s.trial.Request(), s.origin+path)
	answer, err = s.probe.Send(limited, request)
	if err != nil {
		return ctx.Err()
	}
	if s.trial.Ran(request) {
		return s.probe.Insecure(want, fmt.Sprintf("status %d, and the tool ran", answer.Status))
	}
	return s.legacyAt(ctx, path)
}

// siblingTime bounds a try at another path. A server may keep a GET open.
const siblingTime = 2 * time.Second

// legacyAt tries the transport of 2024-11-05: the stream of a GET names the address of messages,
// and then carries their answers.
func (s *siblingSearch) legacyAt(ctx context.Context, path string) error {
	limited, cancel := context.WithTimeout(ctx, siblingTime)
	defer cancel()
	header := http.Header{"Accept": {"text/event-stream"}}
	stream, err := s.probe.Stream(limited, bench.Request{Method: http.MethodGet, URL: s.origin + path, Header: header})
	if err != nil || stream == nil {
		return ctx.Err()
	}
	defer stream.Close()
	lines := bufio.NewScanner(io.LimitReader(stream, 1<<20))
	messages, err := url.Parse(nextEvent(lines, "endpoint"))
	if err != nil || messages.String() == "" {
		return ctx.Err()
	}
	base, err := url.Parse(s.origin + path)
	if err != nil || base.ResolveReference(messages).Host != base.Host {
		return nil
	}
	request := s.probe.Clone().First()
	request.URL = base.ResolveReference(messages).String()
	if _, err := s.probe.Send(limited, request); err != nil {
		return ctx.Err()
	}
	answered := serverInfo([]byte(nextEvent(lines, "message")))
	if answered != "" && (s.info == "" || answered == s.info) {
		return s.probe.Insecure(
			"no stream of the transport of 2024-11-05 without a token at "+path,
			"a stream with the result of the first message",
		)
	}
	return ctx.Err()
}

// nextEvent returns the data of the next event with a name, or "".
func nextEvent(lines *bufio.Scanner, name string) string {
	event := "message"
	for lines.Scan() {
		line := lines.Text()
		if value, found := strings.CutPrefix(line, "event:"); found {
			event = strings.TrimSpace(value)
		}
		if value, found := strings.CutPrefix(line, "data:"); found && event == name {
			return strings.TrimSpace(value)
		}
		if line == "" {
			event = "message"
		}
	}
	return ""
}
