package redis

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// callTime bounds a call.
const callTime = 5 * time.Second

// A command that the server did not run is repeated after each of these pauses.
var pauses = []time.Duration{25 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond}

// A remote runs scripts on the server that holds the store.
type remote struct {
	// node returns the client of the server.
	node func(ctx context.Context) (*redis.Client, error)
	// moved is called after a server has not run a script.
	moved    func(ctx context.Context)
	root     string
	wait     int
	waitTime time.Duration
}

// run runs a script and returns its answer. It ends with the context or after callTime. A script
// that may have run returns an error that says so.
func (r *remote) run(ctx context.Context, s script, arguments ...any) (any, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, callTime)
	type outcome struct {
		answer any
		err    error
	}
	ended := make(chan outcome, 1)
	go func() { // go-redis notices the deadline of a context, but not its end
		defer cancel()
		answer, err := r.repeat(ctx, s, arguments)
		ended <- outcome{answer, err}
	}()
	select {
	case found := <-ended:
		return found.answer, found.err
	case <-ctx.Done():
		select {
		case found := <-ended:
			return found.answer, found.err
		default:
			return nil, s.unknown(ctx.Err())
		}
	}
}

// unknown returns the error of a call that may have changed the store.
func (s script) unknown(err error) error {
	if !s.writes {
		return fmt.Errorf("store: redis: %w", err)
	}
	return fmt.Errorf("store: redis: the change may have been made or not: %w", err)
}

// repeat runs a script again while no server has run it.
func (r *remote) repeat(ctx context.Context, s script, arguments []any) (any, error) {
	for attempt := 0; ; attempt++ {
		answer, err := r.once(ctx, s, arguments)
		switch {
		case err == nil || errors.Is(err, redis.Nil):
			return answer, err
		case !isUnsent(err) && !isRefused(err):
			return nil, s.unknown(err)
		case attempt == len(pauses) || ctx.Err() != nil:
			return nil, fmt.Errorf("store: redis: %w", err)
		}
		r.moved(ctx)
		select {
		case <-time.After(pauses[attempt]):
		case <-ctx.Done():
		}
	}
}

// once runs a script. After a write it waits until replicas have the write.
func (r *remote) once(ctx context.Context, s script, arguments []any) (any, error) {
	node, err := r.node(ctx)
	if err != nil {
		return nil, &unsentError{err}
	}
	answer, err := r.send(ctx, node, s, func(target redis.Scripter) *redis.Cmd {
		return s.EvalSha(ctx, target, []string{r.root}, arguments...)
	})
	if redis.HasErrorPrefix(err, "NOSCRIPT") {
		answer, err = r.send(ctx, node, s, func(target redis.Scripter) *redis.Cmd {
			return s.Eval(ctx, target, []string{r.root}, arguments...)
		})
	}
	return answer, err
}

// send sends a script, and behind a write WAIT on the same connection.
func (r *remote) send(
	ctx context.Context,
	node *redis.Client,
	s script,
	add func(redis.Scripter) *redis.Cmd,
) (any, error) {
	if !s.writes || r.wait == 0 {
		return add(node).Result()
	}
	pipe := node.Pipeline()
	command := add(pipe)
	wait := pipe.Do(ctx, "WAIT", r.wait, r.waitTime.Milliseconds())
	_, _ = pipe.Exec(ctx) // each command has its error
	answer, err := command.Result()
	if err != nil {
		return answer, err
	}
	replicas, err := wait.Int64()
	if err == nil && replicas < int64(r.wait) {
		err = fmt.Errorf("%d of %d replicas had the write after %s", replicas, r.wait, r.waitTime)
	}
	if err != nil {
		return nil, fmt.Errorf("WAIT: %w", err)
	}
	return answer, nil
}

// isUnsent reports whether a command was not sent.
func isUnsent(err error) bool {
	var unsent *unsentError
	return errors.As(err, &unsent)
}

// refusals are the errors of a server that has not run a script, for a reason that may pass.
var refusals = []string{
	"CLUSTERDOWN", "LOADING", "MASTERDOWN", "MISCONF", "MOVED", "NOREPLICAS", "OOM", "READONLY", "TRYAGAIN",
}

func isRefused(err error) bool {
	for _, prefix := range refusals {
		if redis.HasErrorPrefix(err, prefix) {
			return true
		}
	}
	return false
}
