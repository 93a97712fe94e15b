package bench

import (
	"errors"
	"regexp"
	"sync"
	"time"

	"mcpentra/conformance/check"
)

// goodTokens knows when the good tokens of a check expire.
type goodTokens struct {
	mu    sync.Mutex
	until time.Time // the first expiry time, or zero if none is known
}

// add notes the expiry time of a good token. It ignores tokens that are not JWTs, and those that
// have expired already.
func (g *goodTokens) add(token string) {
	claims, _ := readClaims(token)
	until := at(claims.Expiry)
	g.mu.Lock()
	defer g.mu.Unlock()
	if until.After(time.Now()) && (g.until.IsZero() || until.Before(g.until)) {
		g.until = until
	}
}

// isUnauthorized matches a result that only says that the server refused a token.
var isUnauthorized = regexp.MustCompile(`\b401\b`)

// explain replaces a mismatch that follows from a good token that expired during the check.
func (g *goodTokens) explain(err error) error {
	g.mu.Lock()
	until := g.until
	g.mu.Unlock()
	var mismatch *check.Mismatch
	if until.IsZero() || time.Now().Before(until) || !errors.As(err, &mismatch) {
		return err
	}
	for _, current := range append([]*check.Mismatch{mismatch}, mismatch.Others...) {
		if current.Insecure || !isUnauthorized.MatchString(current.Got) {
			return err
		}
	}
	return &check.CannotJudge{
		Reason: "the server answers 401, and the good token expired during the check; give a token with a longer life",
	}
}
