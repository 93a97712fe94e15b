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

// A lifeSign remembers whether the server still answers. A server that hangs would hold each check
// until its time is over.
type lifeSign struct {
	target Target

	mu   sync.Mutex
	gone bool
}

// run runs a check, unless the server has stopped to answer. If no answer comes, it looks whether
// the server is still there.
func (l *lifeSign) run(ctx context.Context, try func() error) error {
	if l.isGone() {
		const reason = "the server no longer answers; the first line marked \"error\" has the cause"
		return &check.Skipped{Reason: reason}
	}
	err := try()
	if cannot := (*check.CannotJudge)(nil); errors.As(err, &cannot) && isSilence(cannot.Err) {
		l.look(ctx)
	}
	return err
}

func (l *lifeSign) isGone() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.gone
}

// look asks for the metadata. The time of the check may be over, and the run may go on.
func (l *lifeSign) look(ctx context.Context) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gone || errors.Is(ctx.Err(), context.Canceled) {
		return
	}
	var unusable *Unusable
	l.gone = errors.As(l.target.Reach(context.WithoutCancel(ctx)), &unusable)
}

// isSilence reports whether an error says that no complete answer came.
func isSilence(err error) bool {
	var network net.Error
	isNetwork := errors.As(err, &network) || errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, io.EOF)
	return isNetwork || errors.Is(err, context.DeadlineExceeded)
}
