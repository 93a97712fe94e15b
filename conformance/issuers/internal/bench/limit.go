package bench

import (
	"errors"
	"net/http"
	"sync"

	"mcpentra/conformance/check"
)

// errLimited says why the control of a check failed. Checks do not wait for the limit, because it
// may last for hours.
var errLimited = errors.New("the server limits how often a network may ask; raise its limit for the run")

// cannotJudge returns an error with the reason. It adds the limit if the status is 429.
func cannotJudge(reason string, status int) error {
	failed := &check.CannotJudge{Reason: reason}
	if status == http.StatusTooManyRequests {
		failed.Err = errLimited
	}
	return failed
}

// CannotJudge says why an authorization that a check needs did not go on.
func (a *Authorization) CannotJudge(reason string) error { return cannotJudge(reason, a.status()) }

// A limitReport reports the limit of a server once for all checks.
type limitReport struct {
	mu   sync.Mutex
	made bool
}

// explain replaces the error of a check that a limit stopped, after a MUST has reported the limit.
func (l *limitReport) explain(level check.Level, err error) error {
	if !errors.Is(err, errLimited) {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.made {
		const reason = "the server limits how often a network may ask; a line marked \"error\" says more"
		return &check.Skipped{Reason: reason}
	}
	l.made = level == check.Must
	return err
}
