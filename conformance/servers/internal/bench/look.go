package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"mcpentra/conformance/check"
)

// A looker makes a survey.
type looker struct {
	*Survey
	target *Target
	probe  *Probe // at the newest revision with a handshake
	good   string // the good token, or ""
	first  *Answer
	silent int // how many requests in sequence got no answer
	// unclear says why it is unknown whether the server speaks a revision.
	unclear map[check.Revision]string
}

// look makes a survey.
func (t *Target) look(ctx context.Context) *Survey {
	l := looker{
		Survey:  &Survey{lacking: map[TokenKind]string{}},
		target:  t,
		probe:   newProbe(*t, check.R20251125),
		unclear: map[check.Revision]string{},
	}
	defer l.probe.closeOwnConnections()
	l.supplied = t.Tokens[Good] != nil
	l.hasShortLived = t.Tokens[ShortLived] != nil
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
	answer, err := l.probe.WithRevision(revision).sendWithin(ctx, l.target.within(limit), request)
	if !errors.Is(err, context.DeadlineExceeded) {
		l.silent = 0
		return answer, err
	}
	l.silent++
	if l.silent == maxSilent && !l.isAnswering(ctx) {
		l.unusable = &Unusable{Reason: fmt.Sprintf(
			"the server answered its first request, but then none within %v; check its log", l.target.within(lookTime),
		)}
	}
	return nil, err
}

// isAnswering reports whether the endpoint still answers a request without a token. If it does,
// only some requests get no answer, and the look goes on.
func (l *looker) isAnswering(ctx context.Context) bool {
	_, err := l.probe.sendWithin(ctx, l.target.within(lookTime), Request{})
	if err == nil {
		l.silent = 0
	}
	return err == nil
}

// maxSilent is how many requests in sequence may get no answer.
const maxSilent = 2

// errSilent means that the server answers no more.
var errSilent = errors.New("the server does not answer")

// endSession ends a session, as a client does that needs it no more.
func (l *looker) endSession(ctx context.Context, revision check.Revision, token, id string) {
	if id == "" {
		return
	}
	header := http.Header{"Mcp-Session-Id": {id}}
	_, _ = l.send(ctx, revision, token, Request{Method: http.MethodDelete, Header: header})
}

// remark says what cannot be tried.
func (l *looker) remark() {
	for _, revision := range check.Revisions() {
		if reason := l.unclear[revision]; reason != "" && len(l.Spoken) > 0 {
			l.Remarks = append(l.Remarks, fmt.Sprintf("the rules of MCP %s are not tried: %s", revision, reason))
		}
	}
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
