package bench

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"mcpentra/conformance/check"
)

// The IDs of the checks that find what others follow from.
const (
	authorizationRequired = "server/authorization/required"
	withoutToken          = "server/challenge/without-token"
	metadataFound         = "server/metadata/found"
	issuersNamed          = "server/metadata/authorization-servers"
	issuerFound           = "authorization-server/metadata/found"
	tokenAccepted         = "server/token/accepted"
	garbageRefused        = "server/token/garbage"
	tamperedRefused       = "server/token/tampered-signature"
	challengeSent         = "server/challenge/bearer"
	scopeEnforced         = "server/scope/enforced"
	scopeErrorCode        = "server/scope/error-code"
)

// A topic says what the checks of a topic judge. Without it they have nothing to judge.
type topic int

// The topics can be combined.
const (
	ofCredentials     topic = 1 << iota // how the server treats credentials
	ofOAuth                             // how it asks for OAuth tokens
	ofResource                          // its protected resource metadata
	ofIssuer                            // the metadata of its authorization server
	ofChallenge                         // its answer to a request without a token
	ofSecondChallenge                   // its answers to bad tokens
	ofScope                             // its use of scopes
	ofScopeChallenge                    // its refusal of a token without the scope
)

// ofScopes is the topic of server/scope.
const ofScopes = ofCredentials | ofOAuth | ofScope

// topics are the topics of checks by ID, or by the first two segments of IDs. The others judge a
// server without authorization too.
var topics = map[string]topic{
	withoutToken:                             ofCredentials,
	"server/challenge/every-method":          ofCredentials,
	"server/challenge/notifications":         ofCredentials,
	"server/challenge/resource-metadata":     ofCredentials | ofOAuth | ofResource | ofChallenge,
	"server/challenge/invalid-token":         ofCredentials | ofOAuth | ofSecondChallenge,
	"server/challenge/injection":             ofCredentials | ofOAuth | ofSecondChallenge,
	"server/challenge/every-refusal":         ofCredentials | ofOAuth | ofSecondChallenge,
	"server/challenge":                       ofCredentials | ofOAuth | ofChallenge,
	metadataFound:                            ofOAuth,
	"server/metadata":                        ofOAuth | ofResource,
	"authorization-server/metadata/root":     ofOAuth,
	"authorization-server/metadata":          ofOAuth | ofIssuer,
	"authorization-server/registration":      ofOAuth | ofIssuer,
	"authorization-server/redirect":          ofOAuth | ofIssuer,
	"authorization-server/client":            ofOAuth | ofIssuer,
	"server/credentials":                     ofCredentials,
	"server/refusal":                         ofCredentials,
	"server/token":                           ofCredentials,
	"server/legacy":                          ofOAuth,
	"server/keys":                            ofCredentials,
	"server/scope/resource-metadata":         ofScopes | ofScopeChallenge | ofChallenge,
	"server/scope/stable":                    ofScopes | ofScopeChallenge | ofChallenge,
	"server/scope/named":                     ofScopes | ofScopeChallenge,
	"server/scope/challenged-scopes-suffice": ofScopes | ofScopeChallenge,
	"server/scope/no-offline-access":         ofScopes | ofScopeChallenge,
	"server/scope":                           ofScopes,
	"server/token/lookalike-scope":           ofCredentials | ofScope,
	"server/caller/from-token":               ofCredentials,
	"server/session/not-authentication":      ofCredentials,
	"server/session/ending-needs-token":      ofCredentials,
	"server/session/other-user-messages":     ofCredentials,
	"server/session/other-user":              ofCredentials,
	"server/stream/needs-token":              ofCredentials,
	"server/stream/reopened":                 ofCredentials,
	"server/stream/ends-with-token":          ofCredentials,
	"server/stream/own-events":               ofCredentials,
	"server/stream/resumed-by-another":       ofCredentials,
	"server/state/other-user":                ofCredentials,
	"server/state/not-authentication":        ofCredentials,
	"server/request-state/other-user":        ofCredentials,
	"server/task/other-user":                 ofCredentials,
	"server/passthrough/own-token":           ofCredentials,
	"server/http/trailers":                   ofCredentials,
	"server/http2/two-headers":               ofCredentials,
	"server/limits/bad-signatures":           ofCredentials,
}

// topicOf returns the topic of a check.
func topicOf(id string) topic {
	if found, ok := topics[id]; ok {
		return found
	}
	segments := strings.SplitN(id, "/", 3)
	return topics[strings.Join(segments[:min(2, len(segments))], "/")]
}

// plan returns the revisions at which to try a check, or why it is not tried.
func (s *Survey) plan(c *Check, claimed []check.Revision) ([]check.Revision, error) {
	if s.unusable != nil {
		return nil, s.unusable
	}
	revisions := s.Spoken
	switch {
	case len(claimed) > 0:
		revisions = claimed
	case len(s.Spoken) == 0 && s.other == "":
		revisions = []check.Revision{s.assumed}
	}
	applies := func(revision check.Revision) bool {
		return len(c.Revisions) == 0 || slices.Contains(c.Revisions, revision)
	}
	if !slices.ContainsFunc(revisions, applies) {
		return nil, &check.Skipped{Reason: s.silence(c)}
	}
	return revisions, s.obstacle(c)
}

// silence says why no revision is left for a check.
func (s *Survey) silence(c *Check) string {
	switch {
	case len(s.Spoken) > 0:
		return fmt.Sprintf("the rule is one of MCP %s, and the server says that it speaks %s",
			join(c.Revisions), join(s.Spoken))
	case s.other != "":
		return "the server says that it speaks only MCP " + s.other
	}
	return fmt.Sprintf(
		"the rule is one of MCP %s, and without a working token the server does not say that it speaks it",
		join(c.Revisions),
	)
}

// obstacle says why a check cannot be tried: an input is of no use, or another check has found the
// cause. It returns nil if there is no obstacle.
func (s *Survey) obstacle(c *Check) error {
	for _, kind := range c.Tokens {
		if reason := s.lacking[kind]; reason != "" {
			return &check.Skipped{Reason: "needs a token of the kind: " + string(kind) + "; " + reason}
		}
	}
	for _, need := range c.Needs {
		if s.badKey != "" && (need == IssuerKey || need == TimedTokens && !s.hasShortLived) {
			return &check.Skipped{Reason: "needs " + string(need) + "; " + s.badKey}
		}
	}
	if c.ID == tokenAccepted && s.refused != "" && s.blamed {
		return &check.CannotJudge{Reason: "the good token does not work: " + s.refused}
	}
	of, reason := s.cause(c)
	if of == "" || of == c.ID {
		return nil
	}
	return &check.Skipped{Of: of, Reason: reason}
}

// cause returns the ID of the check that finds why another cannot be tried, and the reason.
func (s *Survey) cause(c *Check) (of, reason string) {
	topic := topicOf(c.ID)
	switch {
	case c.ID == authorizationRequired && s.Asks == AsksForNothing && s.supplied:
		return withoutToken, s.Asks.String()
	case s.refused != "" && slices.Contains(c.Tokens, Good):
		return tokenAccepted, "the good token does not work: " + s.refused
	case s.Asks == AsksForNothing && topic != 0 && s.supplied:
		return withoutToken, s.Asks.String()
	case s.Asks == AsksForNothing && topic != 0:
		return authorizationRequired, s.Asks.String()
	case s.Asks == AsksForKey && (topic&^ofCredentials != 0 || topic != 0 && !s.asksWith401):
		return authorizationRequired, s.Asks.String()
	case topic&ofChallenge != 0 && s.servesFirst:
		return withoutToken, "the server answers a request without a token with a result"
	case topic&ofChallenge != 0 && s.noChallenge:
		return challengeSent, "the 401 has no well-formed Bearer challenge"
	case topic&ofSecondChallenge != 0 && s.noChallenge && s.noSecondChallenge:
		return challengeSent, "no 401 has a well-formed Bearer challenge"
	case topic&ofScope != 0 && s.ignoresScope:
		return scopeEnforced, "the server serves a token that lacks the required scope"
	case topic&ofScopeChallenge != 0 && s.noScopeChallenge:
		return scopeErrorCode, "the 403 has no well-formed Bearer challenge"
	case topic&(ofResource|ofIssuer) != 0 && !s.resource.found:
		return metadataFound, "the protected resource metadata is not found: " + s.resource.reason
	case topic&ofIssuer != 0 && s.issuer.reason == namesNone:
		return issuersNamed, namesNone
	case topic&ofIssuer != 0 && !s.issuer.found:
		return issuerFound, "the authorization server's metadata is not found: " + s.issuer.reason
	}
	return "", ""
}

// String says what the server asks for.
func (a Authorization) String() string {
	switch a {
	case AsksForNothing:
		return "the server asks for no authorization, and publishes no metadata"
	case AsksForKey:
		return "the server asks for a key, and publishes no metadata"
	case AsksForTokens:
		return "the server asks for OAuth tokens"
	}
	return "unknown"
}

// isBroken matches a result that only says that the server broke. isBrokenControl matches a control
// that failed for that reason.
var (
	isBroken        = regexp.MustCompile(`^status 5\d\d\b`)
	isBrokenControl = regexp.MustCompile(`\b(answers|answered|status) 5\d\d\b`)
)

// explain replaces an error that follows from what the survey has found.
func (s *Survey) explain(c *Check, err error) error {
	if s.breaks == "" || c.ID == s.breaks || topicOf(c.ID)&ofCredentials == 0 {
		return err
	}
	follows := &check.Skipped{Of: s.breaks, Reason: fmt.Sprintf("the server answers %d to bad tokens", s.status)}
	if cannot := (*check.CannotJudge)(nil); errors.As(err, &cannot) && isBrokenControl.MatchString(cannot.Reason) {
		return follows
	}
	var mismatch *check.Mismatch
	if !errors.As(err, &mismatch) {
		return err
	}
	for _, current := range append([]*check.Mismatch{mismatch}, mismatch.Others...) {
		if current.Insecure || !isBroken.MatchString(current.Got) {
			return err
		}
	}
	return follows
}
