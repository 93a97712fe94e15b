package doctor

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// revision is the one that the walk speaks. Servers of all later revisions still answer it.
const revision = "2025-06-18"

// The first messages of a client.
const (
	initialize = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"` + revision +
		`","capabilities":{},"clientInfo":{"name":"mcp-auth-conformance doctor","version":"1"}}}`
	listTools = `{"jsonrpc":"2.0","id":2,"method":"tools/list"}`
)

// falseToken is not valid anywhere.
const falseToken = "false-token-of-mcp-auth-conformance-doctor"

// challenged is what the step challenge collects.
type challenged struct {
	w          *walk
	endpoint   *url.URL
	first      *answer // to initialize
	list       *answer // to tools/list, if initialize was served
	withFalse  *answer // to initialize with a false token, if there was a challenge
	get        *answer
	challenges []challenge
	bearer     *challenge // the first with the scheme Bearer
}

// message sends a message to the endpoint.
func (w *walk) message(ctx context.Context, address, message string, header http.Header) *answer {
	q := question{
		method:  http.MethodPost,
		address: address,
		body:    message,
		header: http.Header{
			"Content-Type":         {"application/json"},
			"Accept":               {"application/json, text/event-stream"},
			"Mcp-Protocol-Version": {revision},
		},
	}
	for name, values := range header {
		q.header[name] = values
	}
	if message == initialize {
		delete(q.header, "Mcp-Protocol-Version")
	}
	return w.ask(ctx, q)
}

func (w *walk) challenge(ctx context.Context, step *Step) bool {
	address := w.endpoint.String()
	seen := &challenged{w: w, endpoint: w.endpoint}
	seen.first = w.message(ctx, address, initialize, nil)
	step.did("POST initialize without a token: %s", w.says(seen.first))
	if seen.first.isRedirect() {
		w.followRedirect(ctx, step, seen)
	}
	if seen.first.err != nil {
		diagnose(step, seen, challengeSymptoms)
		w.report.Answers = false
		return false
	}
	if !isEndpoint(seen.first) {
		w.guess(ctx, step)
	}
	if seen.isServed() {
		seen.list = w.message(ctx, address, listTools, nil)
		step.did("POST tools/list without a token: %s", w.says(seen.list))
		if seen.list.status == http.StatusUnauthorized {
			seen.first = seen.list
		}
	}
	if seen.first.status == http.StatusUnauthorized {
		seen.readChallenge()
		bearer := http.Header{"Authorization": {"Bearer " + falseToken}}
		seen.withFalse = w.message(ctx, w.endpoint.String(), initialize, bearer)
		if seen.list != nil {
			seen.withFalse = w.message(ctx, w.endpoint.String(), listTools, bearer)
		}
		step.did("POST with a false token: %s", w.says(seen.withFalse))
	}
	seen.get = w.ask(ctx, question{
		method:  http.MethodGet,
		address: w.endpoint.String(),
		header:  http.Header{"Accept": {"text/event-stream"}, "Mcp-Protocol-Version": {revision}},
	})
	step.did("GET an event stream: %s", w.says(seen.get))
	w.challenged = seen
	diagnose(step, seen, challengeSymptoms)
	step.fine("challenge-complete", "without a token, the server answers 401 and names its metadata")
	return true
}

// followRedirect goes on at the target of a redirect, if it is the same host.
func (w *walk) followRedirect(ctx context.Context, step *Step, seen *challenged) {
	target := seen.first.location()
	if target == nil || !strings.EqualFold(target.Hostname(), w.endpoint.Hostname()) {
		return
	}
	if target.Scheme != "https" && target.Scheme != w.endpoint.Scheme {
		return
	}
	diagnose(step, seen, redirectSymptoms)
	target.Fragment = ""
	w.endpoint = target
	seen.endpoint = target
	seen.first = w.message(ctx, target.String(), initialize, nil)
	step.did("The walk goes on at %s: %s", w.secrets.Shown(withoutQuery(target.String())), w.says(seen.first))
}

func (s *challenged) readChallenge() {
	s.challenges = readChallenges(s.first.header.Values("WWW-Authenticate"))
	for i := range s.challenges {
		if strings.EqualFold(s.challenges[i].scheme, "Bearer") {
			s.bearer = &s.challenges[i]
			return
		}
	}
}

// isServed reports whether initialize was served without a token.
func (s *challenged) isServed() bool {
	return s.first.status/100 == 2 && isMessage(s.first)
}

var anyMessage = regexp.MustCompile(`"jsonrpc"\s*:\s*"2\.0"`)

// isMessage reports whether an answer has a JSON-RPC message.
func isMessage(a *answer) bool {
	kind := a.contentType()
	return (kind == "application/json" || kind == "text/event-stream") && anyMessage.Match(a.body)
}

// metadataURL returns the address of the metadata in the challenge, or "".
func (s *challenged) metadataURL() string {
	if s.bearer == nil {
		return ""
	}
	return s.bearer.parameters["resource_metadata"]
}

// saysMissing matches answers that complain about a missing token.
var saysMissing = regexp.MustCompile(`(?i)needs an access token|no (bearer |access )?token|` +
	`missing (the )?(bearer |access )?token|missing authorization|authorization header (is )?(missing|required)|` +
	`token (is )?missing|not authenticated`)

// isBlind reports whether the server complains about a missing token although one came.
func (s *challenged) isBlind() bool {
	if s.withFalse == nil || s.withFalse.status != http.StatusUnauthorized {
		return false
	}
	text := string(s.withFalse.body) + strings.Join(s.withFalse.header.Values("WWW-Authenticate"), " ")
	return saysMissing.MatchString(text) && !strings.Contains(text, "invalid_token")
}

func (s *challenged) seesNoAnswer() string {
	if s.first.err == nil {
		return ""
	}
	return "the server does not answer the first message: " + s.w.trouble(s.first.err)
}

// seesStatus returns a row's func that looks for a status.
func seesStatus(text string, statuses ...int) func(*challenged) string {
	return func(s *challenged) string {
		for _, status := range statuses {
			if s.first.status == status {
				return fmt.Sprintf("the first message gets %s. %s", s.w.says(s.first), text)
			}
		}
		return ""
	}
}

func (s *challenged) seesOpen() string {
	if s.list == nil || s.list.status/100 != 2 || !isMessage(s.list) {
		return ""
	}
	return "initialize and tools/list are served without a token"
}

func (s *challenged) seesPage() string {
	if s.first.err != nil || s.first.status/100 != 2 || isMessage(s.first) {
		return ""
	}
	if s.first.isPage() {
		return "the first message gets a web page with status 200"
	}
	return fmt.Sprintf("the first message gets %s, which is not a JSON-RPC message", s.w.says(s.first))
}

func (s *challenged) seesRedirectAway() string {
	if !s.first.isRedirect() {
		return ""
	}
	return "the first message gets " + s.w.says(s.first)
}

// isHostRefusal matches refusals of a host by servers that answer 400 or 403.
var isHostRefusal = regexp.MustCompile(`(?i)(invalid|bad|unknown|disallowed|not allowed|does not answer for)` +
	`[^.]{0,40}host|host[^.]{0,40}(invalid|not allowed|disallowed)`)

func (s *challenged) seesHostRefusal() string {
	isOther := s.first.status == http.StatusBadRequest || s.first.status == http.StatusForbidden
	if s.first.status == http.StatusMisdirectedRequest || isOther && isHostRefusal.Match(s.first.body) {
		return fmt.Sprintf("the first message gets %s: the server does not answer for the host that it got",
			s.w.says(s.first))
	}
	return ""
}

func (s *challenged) seesForbidden() string {
	if s.first.status != http.StatusForbidden || s.seesHostRefusal() != "" {
		return ""
	}
	return "without a token, the server answers 403 in place of 401"
}

// speaksTLS matches what servers of TLS say to plain http.
var speaksTLS = regexp.MustCompile(`(?i)http request[^.]{0,40}https (server|port)`)

func (s *challenged) seesTLSPort() string {
	if s.first.status != http.StatusBadRequest || !speaksTLS.Match(s.first.body) {
		return ""
	}
	return "the server wants https at this port"
}

func (s *challenged) seesOtherRefusal() string {
	if s.first.status != http.StatusBadRequest && s.first.status != http.StatusNotAcceptable &&
		s.first.status != http.StatusUnsupportedMediaType {
		return ""
	}
	if s.seesHostRefusal() != "" || s.seesTLSPort() != "" {
		return ""
	}
	return fmt.Sprintf("without a token, initialize gets %s, not 401", s.w.says(s.first))
}

func (s *challenged) seesNoChallenge() string {
	if s.first.status != http.StatusUnauthorized || len(s.challenges) > 0 {
		return ""
	}
	return "the server answers 401 without WWW-Authenticate"
}

func (s *challenged) seesOtherScheme() string {
	if len(s.challenges) == 0 || s.bearer != nil {
		return ""
	}
	return fmt.Sprintf("the challenge has the scheme %s, not Bearer", s.w.secrets.Shown(s.challenges[0].scheme))
}

func (s *challenged) seesNoMetadataURL() string {
	if s.bearer == nil || s.metadataURL() != "" {
		return ""
	}
	return "the challenge has no resource_metadata"
}

// seesMetadataAt returns a row's func for a difference between the address of the metadata and the
// endpoint.
func seesMetadataAt(which difference) func(*challenged) string {
	return func(s *challenged) string {
		named := s.metadataURL()
		if named == "" || differs(named, s.endpoint) != which {
			return ""
		}
		return fmt.Sprintf("the endpoint is at %s, and the challenge names resource_metadata=%q",
			s.w.secrets.Shown(originOf(s.endpoint)), s.w.secrets.Shown(named))
	}
}

func (s *challenged) seesBlind() string {
	if !s.isBlind() {
		return ""
	}
	return "a request with a token gets the answer that the token is missing: the header Authorization does not " +
		"reach the server"
}

func (s *challenged) seesTokenIgnored() string {
	if s.withFalse == nil || s.withFalse.err != nil || s.isBlind() {
		return ""
	}
	if s.withFalse.status/100 == 2 {
		return "a false token is accepted"
	}
	return ""
}

func (s *challenged) seesPageForGet() string {
	if s.get == nil || s.get.status/100 != 2 || !s.get.isPage() {
		return ""
	}
	return "GET with Accept: text/event-stream gets a web page"
}

func (s *challenged) seesErrorWithoutToken() string {
	if s.bearer == nil || s.bearer.parameters["error"] == "" || s.list != nil {
		return ""
	}
	return fmt.Sprintf("the challenge to a request without a token has error=%q",
		s.w.secrets.Shown(s.bearer.parameters["error"]))
}
