package bench

import (
	"context"
	"errors"
	"io"
	"net"
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
	supplied bool // a good token is
	// hasShortLived says that the target supplies tokens that expire soon.
	hasShortLived bool
	other         string         // a revision that the server says it speaks, and that no check knows
	assumed       check.Revision // the revision of requests without a token, if the server says none
	refused       string         // why the good token does not work, or ""
	blamed        bool           // the token is to blame for that, or may be
	named         documentNames
	lacking       map[TokenKind]string
	badKey        string // why the issuer's key does not work, or ""
	resource      document
	issuer        document
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
	silent bool   // no complete answer came from one of its addresses
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
