package engine

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"slices"
	"sync/atomic"
	"time"
)

// maxHeader bounds the head of an answer, in bytes.
const maxHeader = 256 << 10

// timeout bounds one check. The disruptive ones send thousands of requests.
func (c *Check) timeout() time.Duration {
	if c.Disruptive {
		return 2 * time.Minute
	}
	return 30 * time.Second
}

// Run tries a check against a target: once, or once for each revision where the check says so.
func Run(ctx context.Context, check Check, target Target) []Result {
	results := try(&check, &target, func(revision Revision) Result { return RunAt(ctx, check, target, revision) })
	if results == nil {
		results = append(results, Result{Check: check, Verdict: Skip, Err: errors.New("the rule is not one of a revision that the server claims to speak")})
	}
	return results
}

// try tries a check at each revision that is planned, or where one will do until one is spoken.
func try(check *Check, target *Target, at func(Revision) Result) []Result {
	var results []Result
	for _, revision := range planned(check, target) {
		result := at(revision)
		if check.EachRevision {
			results = append(results, result)
			continue
		}
		results = []Result{result}
		if notSpoken := (*NotSpoken)(nil); result.Verdict != Skip || !errors.As(result.Err, &notSpoken) {
			break
		}
	}
	return results
}

// planned are the revisions to try a check at: all that apply. Where one will do, the newest with a handshake comes first, since
// these are spoken by more servers than the newest of all; the others are for servers that do not speak it.
func planned(check *Check, target *Target) []Revision {
	var all []Revision
	for _, revision := range target.revisions() {
		if check.appliesTo(revision) {
			all = append(all, revision)
		}
	}
	if check.EachRevision {
		return all
	}
	slices.Reverse(all)
	if i := slices.IndexFunc(all, func(revision Revision) bool { return revision != R20260728 }); i > 0 {
		first := all[i]
		all = slices.Insert(slices.Delete(all, i, i+1), 0, first)
	}
	return all
}

// RunAt tries a check at one revision.
func RunAt(parent context.Context, check Check, target Target, revision Revision) Result {
	result := Result{Check: check, Revision: revision}
	if lacking := target.lacks(&check); lacking != "" {
		result.Verdict, result.Err = Skip, errors.New("needs "+lacking)
		return result
	}
	ctx, cancel := context.WithTimeout(parent, check.timeout())
	defer cancel()
	p := newProbe(target, revision)
	if target.HTTPClient == nil {
		defer p.client.CloseIdleConnections() // the target's own may be at work for others
	}
	err := guarded(func() error { return check.Run(ctx, p) })
	// Whatever the check made of an answer that did not come in time, it says nothing of the server.
	if ended := parent.Err(); ended != nil {
		err = &CannotJudge{Reason: "the run was ended", Err: ended}
	} else if ctx.Err() != nil {
		err = &CannotJudge{Reason: fmt.Sprintf("the check took longer than %v", check.timeout())}
	}
	result.Verdict, result.Err = check.verdict(err, len(target.Revisions) > 0), err
	return result
}

// verdict is what the error of a check means. Where the target claims the revision, it has to speak it.
func (c *Check) verdict(err error, claimed bool) Verdict {
	var cannot *CannotJudge
	var mismatch *Mismatch
	var notSpoken *NotSpoken
	var notApplicable *NotApplicable
	switch {
	case err == nil:
		return Pass
	case errors.As(err, &cannot): // whatever it wraps
		return Error
	case errors.As(err, &mismatch) && mismatch.Level != "":
		return mismatch.Level.broken()
	case errors.As(err, &mismatch):
		return c.Level.broken()
	case errors.As(err, &notApplicable), errors.As(err, &notSpoken) && !claimed:
		return Skip
	}
	return Error
}

// guarded runs a check and turns a panic, which is a mistake of ours, into an error.
func guarded(run func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &CannotJudge{Reason: fmt.Sprintf("the check itself broke: %v", v), Err: errors.New(string(debug.Stack()))}
		}
	}()
	return run()
}

// newProbe makes a probe with connections of its own.
func newProbe(target Target, revision Revision) *Probe {
	client := http.Client{Transport: &http.Transport{DialContext: Dial, ForceAttemptHTTP2: true, MaxResponseHeaderBytes: maxHeader}}
	if target.HTTPClient != nil {
		client = *target.HTTPClient
	}
	client.Jar = nil
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Probe{target: target, Revision: revision, client: &client, ids: &atomic.Int64{}, secrets: newSecrets()}
}
