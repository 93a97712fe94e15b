package bench

import (
	"context"
	"net/http"
	"strings"

	"mcpentra/conformance/check"
)

// findAuthorization finds which credentials the server asks for. A server with metadata asks for
// tokens, even if it then ignores them. Without an answer from an address of the metadata, the
// server may have it.
func (l *looker) findAuthorization(ctx context.Context) {
	challenge, err := l.probe.Challenge(l.first)
	pointsToMetadata := err == nil && challenge["resource_metadata"] != ""
	_, isJWT := readClaims(l.good)
	switch {
	case l.resource.found || l.issuer.found || pointsToMetadata:
	case l.resource.silent || l.issuer.silent:
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
	ctx, cancel := context.WithTimeout(ctx, l.target.within(lookTime))
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
