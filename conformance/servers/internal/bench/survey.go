package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"

	"mcpentra/conformance/check"
)

// A Survey is the first look at a target. It finds what many checks depend on, so that no check
// finds it again.
type Survey struct {
	// Spoken are the revisions that the server says it speaks. Without a request that succeeds it
	// says none.
	Spoken []check.Revision
	// Asks says which credentials the server asks for.
	Asks Authorization
	// Troubles say which inputs cannot be used.
	Troubles []Trouble
	// Remarks say what the checks cannot try, one line each.
	Remarks []string

	unusable error
	supplied bool           // a good token is
	other    string         // a revision that the server says it speaks, and that no check knows
	assumed  check.Revision // the revision of requests without a token, if the server says none
	refused  string         // why the good token does not work, or ""
	blamed   bool           // the token is to blame for that, or may be
	named    documentNames
	lacking  map[TokenKind]string
	badKey   string // why the issuer's key does not work, or ""
	resource document
	issuer   document
	// asksWith401 and servesFirst say how the server answered the first request without a token.
	asksWith401 bool
	servesFirst bool
	// noChallenge and noSecondChallenge say that the 401 to a request without a token, and the one
	// to a bad token, have no Bearer challenge.
	noChallenge       bool
	noSecondChallenge bool
	// ignoresScope and noScopeChallenge say what happens to a token without the required scope.
	ignoresScope     bool
	noScopeChallenge bool
	breaks           string // the ID of the check that finds that bad tokens break the server, or ""
	status           int    // of the answer to them
}

// A Trouble is an input that cannot be used. The reason is one line.
type Trouble struct {
	Token  TokenKind // or empty, for the issuer's key
	Reason string
}

func (t Trouble) String() string {
	if t.Token == "" {
		return "the issuer's key does not work: " + t.Reason
	}
	return "the token of the kind \"" + string(t.Token) + "\" does not work: " + t.Reason
}

// A document is metadata that the target publishes, or not.
type document struct {
	found  bool
	reason string // why it is not found
}

// Authorization is the kind of credentials that a server asks for.
type Authorization int

// The kinds of credentials.
const (
	AsksForTokens  Authorization = iota // of OAuth
	AsksForNothing                      // anyone may call it, and it publishes no metadata
	AsksForKey                          // of its own, and it publishes no metadata
)

// A lazySurvey looks at a target once, when the first check needs it.
type lazySurvey struct {
	target Target

	mu   sync.Mutex
	done *Survey
	gone bool // the server has stopped to answer since
}

// get returns the survey. Without one yet it makes it. A cancelled look is not kept.
func (l *lazySurvey) get(ctx context.Context) *Survey {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.done != nil {
		return l.done
	}
	survey := l.target.look(ctx)
	if ctx.Err() == nil {
		l.done = survey
	}
	return survey
}

// plan plans the tries of a check. After the server has stopped to answer, it plans none.
func (l *lazySurvey) plan(ctx context.Context, c *Check) ([]check.Revision, error) {
	survey := l.get(ctx)
	l.mu.Lock()
	gone := l.gone
	l.mu.Unlock()
	if gone {
		const reason = "the server no longer answers; the first line marked \"error\" has the cause"
		return nil, &check.Skipped{Reason: reason}
	}
	return survey.plan(c, l.target.Revisions)
}

// explain replaces the error of a check that follows from what the survey has found. Without a
// survey it returns the error. If no answer came, it looks whether the server is still there.
func (l *lazySurvey) explain(ctx context.Context, c *Check, err error) error {
	if err == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.done == nil {
		return err
	}
	if cannot := (*check.CannotJudge)(nil); errors.As(err, &cannot) && cannot.Err != nil && !l.gone {
		l.gone = l.isGone(ctx, cannot.Err)
	}
	return l.done.explain(c, err)
}

// isGone reports whether the server answers no more, after an error that may say so.
func (l *lazySurvey) isGone(ctx context.Context, err error) bool {
	var network net.Error
	isNetwork := errors.As(err, &network) || errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, io.EOF)
	isTimeout := errors.Is(err, context.DeadlineExceeded)
	if !isNetwork && !isTimeout || errors.Is(ctx.Err(), context.Canceled) {
		return false
	}
	// The time of the check may be over, and the run may go on.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.target.firstAnswer())
	defer cancel()
	var unusable *Unusable
	_, reached := l.target.Reach(ctx)
	return errors.As(reached, &unusable) || errors.Is(reached, context.DeadlineExceeded)
}

// Survey returns the survey of the probe's target.
func (p *Probe) Survey(ctx context.Context) *Survey {
	if p.survey == nil {
		return p.target.look(ctx)
	}
	return p.survey.get(ctx)
}

// Survey looks at the target, and keeps the result for the checks that are bound to it afterwards.
// The error is an *Unusable if the target cannot be tested.
func (t *Target) Survey(ctx context.Context) (*Survey, error) {
	if t.survey == nil {
		t.survey = &lazySurvey{target: *t}
	}
	survey := t.survey.get(ctx)
	if survey.unusable == nil {
		survey.unusable = ctx.Err()
	}
	return survey, survey.unusable
}

// A looker makes a survey.
type looker struct {
	*Survey
	target *Target
	probe  *Probe // at the newest revision with a handshake
	good   string // the good token, or ""
	first  *Answer
	silent int // how many requests in sequence got no answer
}

// look makes a survey.
func (t *Target) look(ctx context.Context) *Survey {
	l := looker{Survey: &Survey{lacking: map[TokenKind]string{}}, target: t, probe: newProbe(*t, check.R20251125)}
	defer l.probe.closeOwnConnections()
	l.supplied = t.Tokens[Good] != nil
	l.probe.client.Timeout = 0 // the contexts bound the answers
	l.first, l.unusable = t.Reach(ctx)
	if l.unusable != nil {
		return l.Survey
	}
	l.servesFirst = l.first.Succeeded()
	l.noChallenge = l.lacksChallenge(l.first)
	l.asksWith401 = l.first.Status == http.StatusUnauthorized
	l.findDocuments(ctx)
	l.findRevisions(ctx)
	l.findAuthorization(ctx)
	l.findAssumed(ctx)
	l.findBreaks(ctx)
	l.findEnforcement(ctx)
	l.findTroubles(ctx)
	if l.unusable == nil {
		l.checkClaims()
		l.remark()
	}
	return l.Survey
}

// send sends a request at a revision, with a token unless it is "".
func (l *looker) send(
	ctx context.Context, revision check.Revision, token string, request Request,
) (*Answer, error) {
	if token != "" {
		header := request.Header.Clone()
		if header == nil {
			header = http.Header{}
		}
		header.Set("Authorization", "Bearer "+token)
		request.Header = header
	}
	if l.silent >= maxSilent {
		return nil, errSilent
	}
	limit := lookTime
	if request.URL != "" {
		limit = documentTime
	}
	answer, err := l.probe.WithRevision(revision).sendWithin(ctx, limit, request)
	if !errors.Is(err, context.DeadlineExceeded) {
		l.silent = 0
		return answer, err
	}
	l.silent++
	if l.silent == maxSilent && !l.isAnswering(ctx) {
		l.unusable = &Unusable{Reason: fmt.Sprintf(
			"the server answered its first request, but then none within %v; check its log", lookTime,
		)}
	}
	return nil, err
}

// isAnswering reports whether the endpoint still answers a request without a token. If it does,
// only some requests get no answer, and the look goes on.
func (l *looker) isAnswering(ctx context.Context) bool {
	_, err := l.probe.sendWithin(ctx, lookTime, Request{})
	if err == nil {
		l.silent = 0
	}
	return err == nil
}

// maxSilent is how many requests in sequence may get no answer.
const maxSilent = 2

// errSilent means that the server answers no more.
var errSilent = errors.New("the server does not answer")

// An offer is what a server answers to the first message of a revision.
type offer struct {
	answer *Answer
	named  []check.Revision
	err    error
}

// offer sends the first message of a revision, and reads the revisions that the answer names.
func (l *looker) offer(ctx context.Context, revision check.Revision, token string) offer {
	answer, err := l.send(ctx, revision, token, Request{})
	if err != nil {
		return offer{err: err}
	}
	if !answer.Succeeded() {
		return offer{answer: answer}
	}
	var message struct {
		Result struct {
			Version  check.Revision   `json:"protocolVersion"`
			Versions []check.Revision `json:"supportedVersions"`
		} `json:"result"`
	}
	_ = json.Unmarshal(answer.Body, &message) // an answer of another form names none
	named := message.Result.Versions
	if revision != check.R20260728 {
		named = []check.Revision{message.Result.Version}
		l.endSession(ctx, revision, token, answer.Header.Get("Mcp-Session-Id"))
	}
	return offer{answer: answer, named: named}
}

// endSession ends a session, as a client does that needs it no more.
func (l *looker) endSession(ctx context.Context, revision check.Revision, token, id string) {
	if id == "" {
		return
	}
	header := http.Header{"Mcp-Session-Id": {id}}
	_, _ = l.send(ctx, revision, token, Request{Method: http.MethodDelete, Header: header})
}

// findRevisions offers each revision with the good token, or without one if the server asks for
// none.
func (l *looker) findRevisions(ctx context.Context) {
	if l.supplied {
		token, err := l.probe.Token(ctx, Good)
		if err != nil {
			l.refused = err.Error()
			l.blamed = true
			return
		}
		l.good = token
	}
	if !l.supplied && !l.first.Succeeded() {
		return
	}
	worked := false
	var last offer
	for _, revision := range check.Revisions() {
		made := l.offer(ctx, revision, l.good)
		if made.answer == nil || !made.answer.Succeeded() {
			if revision != check.R20260728 || last.answer == nil {
				last = made
			}
			continue
		}
		worked = true
		if slices.Contains(made.named, revision) {
			l.Spoken = append(l.Spoken, revision)
		} else if len(made.named) > 0 {
			l.other = string(made.named[0])
		}
	}
	if l.supplied && !worked {
		l.refused = l.refusal(last)
	}
}

// refusal says how the server refuses the good token.
func (l *looker) refusal(last offer) string {
	if last.answer == nil {
		return fmt.Sprintf("the server gives no answer to a request with it within %v", lookTime)
	}
	reason := fmt.Sprintf("the server answers %d", last.answer.Status)
	if challenge, err := l.probe.Challenge(last.answer); err == nil && challenge["error"] != "" {
		words := strings.TrimSuffix(challenge["error"]+": "+challenge["error_description"], ": ")
		reason += fmt.Sprintf(" (%s)", l.probe.shown(words))
	}
	return reason
}

// findAuthorization finds which credentials the server asks for. A server with metadata asks for
// tokens, even if it then ignores them.
func (l *looker) findAuthorization(ctx context.Context) {
	challenge, err := l.probe.Challenge(l.first)
	pointsToMetadata := err == nil && challenge["resource_metadata"] != ""
	_, isJWT := readClaims(l.good)
	switch {
	case l.resource.found || l.issuer.found || pointsToMetadata:
	case l.first.Succeeded() && l.servesAnyone(ctx):
		l.Asks = AsksForNothing
	case !l.first.Succeeded() && !isJWT:
		l.Asks = AsksForKey
	}
}

// servesAnyone reports whether the server lists its tools without a token and with a bad one, at
// each revision.
func (l *looker) servesAnyone(ctx context.Context) bool {
	for _, token := range []string{"", badToken} {
		for _, revision := range check.Revisions() {
			made, err := l.send(ctx, revision, token, Request{})
			if err != nil || !made.Succeeded() {
				continue
			}
			session := &Session{ID: made.Header.Get("Mcp-Session-Id"), probe: l.probe.WithRevision(revision)}
			listed, err := l.send(ctx, revision, token, session.Message("tools/list", nil))
			l.endSession(ctx, revision, token, session.ID)
			if err != nil || listed.Status == http.StatusUnauthorized || listed.Status == http.StatusForbidden {
				return false
			}
		}
	}
	return true
}

// badToken and badJWT are no tokens of any issuer.
const (
	badToken = "this-is-not-a-token"
	badJWT   = "this.is.not-a-token"
)

// findAssumed finds a revision for requests without a token. A server may refuse the header of a
// revision that it does not speak before it asks for a token.
func (l *looker) findAssumed(ctx context.Context) {
	l.assumed = check.R20251125
	candidates := []check.Revision{check.R20251125, check.R20250618, check.R20250326, check.R20260728}
	if len(l.Spoken) > 0 || l.first.Succeeded() {
		return
	}
	for _, revision := range candidates {
		p := l.probe.WithRevision(revision)
		first, err := l.send(ctx, revision, "", Request{})
		if err != nil || first.Status != http.StatusUnauthorized {
			continue
		}
		second, err := l.send(ctx, revision, "", p.Notification("notifications/initialized"))
		if err == nil && second.Status == http.StatusUnauthorized {
			l.assumed = revision
			return
		}
	}
}

// findBreaks finds whether bad tokens break the server.
func (l *looker) findBreaks(ctx context.Context) {
	if l.refused != "" || l.good == "" || len(l.Spoken) == 0 {
		return
	}
	revision := l.newest()
	status := func(token string) int {
		answer, err := l.send(ctx, revision, token, Request{})
		if err != nil {
			return 0
		}
		l.noSecondChallenge = l.lacksChallenge(answer)
		return answer.Status
	}
	word := status(badToken)
	malformed := status(badJWT)
	if word >= http.StatusInternalServerError && malformed >= http.StatusInternalServerError {
		l.breaks = garbageRefused
		l.status = word
		return
	}
	if _, isJWT := readClaims(l.good); !isJWT {
		return
	}
	if tampered := status(tamper(l.good)); tampered >= http.StatusInternalServerError {
		l.breaks = tamperedRefused
		l.status = tampered
	}
}

// lacksChallenge reports whether an answer is a 401 or 403 without a Bearer challenge.
func (l *looker) lacksChallenge(answer *Answer) bool {
	_, err := l.probe.Challenge(answer)
	return err != nil && (answer.Status == http.StatusUnauthorized || answer.Status == http.StatusForbidden)
}

// findEnforcement finds whether the server looks at scopes at all. It sends the request of a trial,
// as the checks do.
func (l *looker) findEnforcement(ctx context.Context) {
	if len(l.Spoken) == 0 || l.good == "" || l.target.Tokens[WithoutScope] == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	p := l.probe.WithRevision(l.newest())
	trial, err := p.Trial(ctx)
	if err != nil {
		return // the checks say so
	}
	defer l.endSession(ctx, p.Revision, l.good, trial.Session.ID)
	token, err := p.Token(ctx, WithoutScope)
	if err != nil {
		return
	}
	request := trial.Request()
	request.Header.Set("Authorization", "Bearer "+token)
	if answer, err := p.Send(ctx, request); err == nil {
		l.ignoresScope = answer.Succeeded() && (!trial.HasCanary() || trial.Ran(request))
		l.noScopeChallenge = answer.Status == http.StatusForbidden && l.lacksChallenge(answer)
	}
}

// tamper returns a JWT with another signature.
func tamper(token string) string {
	at := strings.LastIndexByte(token, '.') + 1
	if at >= len(token) {
		return token
	}
	first := byte('A')
	if token[at] == 'A' {
		first = 'B'
	}
	return token[:at] + string(first) + token[at+1:]
}

// newest returns the newest revision with a handshake that the server speaks, or the newest.
func (s *Survey) newest() check.Revision {
	for _, revision := range slices.Backward(s.Spoken) {
		if revision != check.R20260728 {
			return revision
		}
	}
	return check.R20260728
}

// checkClaims wants the server to speak the revisions that the target claims.
func (l *looker) checkClaims() {
	if len(l.Spoken) == 0 {
		return
	}
	for _, claimed := range l.target.Revisions {
		if !slices.Contains(l.Spoken, claimed) {
			l.unusable = &Unusable{Reason: fmt.Sprintf(
				"the server does not speak MCP %s; it says that it speaks %s", claimed, join(l.Spoken),
			)}
			return
		}
	}
}

// remark says what cannot be tried.
func (l *looker) remark() {
	switch {
	case len(l.Spoken) > 0:
	case l.other != "":
		l.Remarks = append(l.Remarks, fmt.Sprintf(
			"the server says that it speaks MCP %s only, and the checks know %s",
			l.probe.shown(l.other), join(check.Revisions()),
		))
	case l.target.Revisions == nil:
		l.Remarks = append(l.Remarks, fmt.Sprintf(
			"without a working token the server does not say which revisions it speaks: "+
				"its 401 is tried once, as of MCP %s; rules of other revisions, and of tokens, are not tried",
			l.assumed,
		))
	}
}

func join(revisions []check.Revision) string {
	var names []string
	for _, revision := range revisions {
		names = append(names, string(revision))
	}
	return strings.Join(names, ", ")
}
