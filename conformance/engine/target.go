package engine

import (
	"context"
	"net/http"
	"slices"
)

// A Target is the server under test.
type Target struct {
	// URL of the MCP endpoint.
	URL string
	// HTTPClient sends the requests. Its redirects are not followed, and its cookies are not used. Nil means a plain one.
	HTTPClient *http.Client
	// Tokens supply access tokens by kind. A kind that is missing makes the checks that need it skip. A supplier is asked anew for every check.
	Tokens map[TokenKind]func(ctx context.Context) (string, error)
	// Revisions that the server claims to speak. Nil means that each is tried, and passed over if the server says that it does not speak it.
	Revisions []Revision
}

func (t *Target) revisions() []Revision {
	if len(t.Revisions) == 0 {
		return Revisions()
	}
	return t.Revisions
}

// missing is the first kind of token that a check needs and the target does not supply.
func (t *Target) missing(check *Check) TokenKind {
	i := slices.IndexFunc(check.Needs, func(kind TokenKind) bool { return t.Tokens[kind] == nil })
	if i < 0 {
		return ""
	}
	return check.Needs[i]
}
