package checks

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"

	"mcpentra/conformance/check"
	"mcpentra/conformance/clients/internal/bench"
	"mcpentra/conformance/clients/internal/lab"
	"mcpentra/conformance/internal/inputs"
)

// All returns the checks in the order of a sign-in, with attacks and extensions last.
func All() []bench.Check {
	all := slices.Concat(
		flowChecks(),
		challengeChecks(),
		metadataChecks(),
		metadataServersChecks(),
		issuerChecks(),
		legacyChecks(),
		registrationChecks(),
		registrationDocumentChecks(),
		registrationRedirectChecks(),
		documentChecks(),
		pkceChecks(),
		authorizationChecks(),
		stateChecks(),
		resourceChecks(),
		scopeChecks(),
		callbackChecks(),
		answerChecks(),
		issChecks(),
		tokenEndpointChecks(),
		tokenChecks(),
		refreshChecks(),
		stepUpChecks(),
		refusalChecks(),
		storageChecks(),
		outputChecks(),
		deviceChecks(),
		signOutChecks(),
		isolationChecks(),
		isolationRedirectChecks(),
		cacheChecks(),
		openChecks(),
		addressChecks(),
		proxyChecks(),
		elicitationChecks(),
		toolsChecks(),
		isolationPublicChecks(),
		tokenToleranceChecks(),
		limitChecks(),
		streamChecks(),
		sessionChecks(),
		revisionChecks(),
		tlsChecks(),
		machineChecks(),
		enterpriseChecks(),
	)
	for i := range all {
		all[i] = withLook(all[i])
	}
	return all
}

// Ranges of revisions. Protected resource metadata exists since 2025-06-18, the PKCE gate since
// 2025-11-25. 2026-07-28 has no handshake.
var (
	since20250618 = []check.Revision{check.R20250618, check.R20251125, check.R20260728}
	since20251125 = []check.Revision{check.R20251125, check.R20260728}
	since20260728 = []check.Revision{check.R20260728}
	handshake     = []check.Revision{check.R20250326, check.R20250618, check.R20251125}
)

// runClient runs the client in a new lab, and closes the lab.
func runClient(ctx context.Context, p *bench.Probe, script lab.Script, changes ...func(*bench.Task)) *lab.Lab {
	if script.Revision == "" {
		script.Revision = p.Revision
	}
	l := lab.New(script)
	defer l.Close()
	runAlone(ctx, p, l, changes...)
	return l
}

// runAlone runs the client with a new state directory. A later lab may have the same ports, and
// must not find state of this one.
func runAlone(ctx context.Context, p *bench.Probe, l *lab.Lab, changes ...func(*bench.Task)) {
	own := *p
	if directory, err := os.MkdirTemp(p.State, "run-"); err == nil {
		own.State = directory
	}
	l.Run(ctx, &own, changes...)
}

// completeTask is the control of a check: it runs the client in a lab where it must reach its goal.
// Without it, an empty record of another lab would prove nothing.
func completeTask(
	ctx context.Context, p *bench.Probe, script lab.Script, changes ...func(*bench.Task),
) (*lab.Lab, error) {
	l := runClient(ctx, p, script, changes...)
	return l, wantCompleted(ctx, p, l)
}

// wantControl runs the control. The look at the client was the control of a script without changes.
func wantControl(ctx context.Context, p *bench.Probe, script lab.Script) error {
	if p.Look.SignsIn && reflect.ValueOf(script).IsZero() {
		return nil
	}
	_, err := completeTask(ctx, p, script)
	return err
}

// wantCompleted wants the client to reach its goal in a lab. Otherwise the check cannot judge it. A
// client that does not claim the revision, and fails even without authorization, does not speak it.
func wantCompleted(ctx context.Context, p *bench.Probe, l *lab.Lab) error {
	if completed(p, l) {
		return nil
	}
	if !p.Look.SignsIn && !p.Claimed() && p.Revision != check.R20251125 {
		if open := runClient(ctx, p, lab.Script{Open: true}); !open.Called() {
			return &check.NotSpoken{Revision: p.Revision}
		}
	}
	return &check.CannotJudge{
		Reason: "the control failed: although nothing is wrong, the client does not reach " + goal(p),
		Err:    ending(l),
	}
}

// ending returns the error of the last run, with the end of the client's output. It is never nil.
func ending(l *lab.Lab) error {
	err := l.Err()
	if err == nil {
		err = errors.New("it ended without an error")
	}
	if last := l.LastOutput(1); last != "" {
		return fmt.Errorf("%w; the last line of its output is %q", err, last)
	}
	return err
}

// A variant is a lab in which one thing differs.
type variant struct {
	name   string
	script lab.Script
}

// A runFunc is the Run of a check.
type runFunc = func(ctx context.Context, p *bench.Probe) error

// judge runs the client in a lab where nothing is wrong, and then judges its record.
func judge(script lab.Script, verdict func(l *lab.Lab) error) runFunc {
	return func(ctx context.Context, p *bench.Probe) error {
		l, err := completeTask(ctx, p, script)
		if err != nil {
			return err
		}
		return verdict(l)
	}
}

// stillWorks wants the client to call the tool in each variant. Unless it is nil, verdict judges
// the record of each.
func stillWorks(script lab.Script, verdict func(l *lab.Lab) error, variants ...variant) runFunc {
	return func(ctx context.Context, p *bench.Probe) error {
		if err := wantControl(ctx, p, script); err != nil {
			return err
		}
		return inputs.TryAll(variants, func(v variant) error {
			l := runClient(ctx, p, v.script)
			if !completed(p, l) && errors.Is(l.Err(), lab.ErrTimeUp) {
				l = runClient(ctx, p, v.script) // a busy machine may be slow once
			}
			if verdict != nil && (completed(p, l) || authorized(l)) {
				if err := verdict(l); err != nil {
					return inVariant(v.name, err)
				}
			}
			if !completed(p, l) {
				return l.Mismatch(goal(p)+": "+v.name, fmt.Sprintf("none: %v", ending(l)))
			}
			return nil
		})
	}
}

// noHarm wants no harm in any variant. Harm describes the harm done, or returns "". Reached reports
// whether the client met the variant's fault; if not, the check cannot judge. Nil always judges.
func noHarm(
	script lab.Script, reached func(l *lab.Lab) bool, harm func(l *lab.Lab) string, variants ...variant,
) runFunc {
	return func(ctx context.Context, p *bench.Probe) error {
		if err := wantControl(ctx, p, script); err != nil {
			return err
		}
		return inputs.TryAll(variants, func(v variant) error {
			l := runClient(ctx, p, v.script)
			if done := harm(l); done != "" {
				return l.Insecure("no harm from "+v.name, done)
			}
			if reached != nil && !reached(l) {
				return notReached(l, v.name)
			}
			return nil
		})
	}
}

// graded is a run whose mismatches have another level and severity than the check's.
func graded(level check.Level, severity check.Severity, run runFunc) runFunc {
	return func(ctx context.Context, p *bench.Probe) error {
		return inputs.Graded(run(ctx, p), level, severity)
	}
}

// each tries several runs, whose mismatches may have different levels.
func each(runs ...runFunc) runFunc {
	return func(ctx context.Context, p *bench.Probe) error {
		return inputs.TryAll(runs, func(run runFunc) error { return run(ctx, p) })
	}
}

// notReached says that the client did not meet the fault of a lab.
func notReached(l *lab.Lab, what string) error {
	return &check.CannotJudge{Reason: "the client did not reach " + what, Err: ending(l)}
}

// inVariant adds the name of a variant to a mismatch.
func inVariant(name string, err error) error {
	var mismatch *check.Mismatch
	if errors.As(err, &mismatch) {
		mismatch.Want += ": " + name
	}
	return err
}

// secondUsed reports use of the authorization server that only false metadata names.
func secondUsed(l *lab.Lab) string {
	if l.Used(lab.Second) {
		return "the authorization server of the false metadata was used"
	}
	return ""
}

// authorized reports whether the client made an authorization request.
func authorized(l *lab.Lab) bool { return len(l.Authorizations(l.Authority())) > 0 }

// sentToAuthorize reports an authorization request.
func sentToAuthorize(l *lab.Lab) string {
	if authorized(l) {
		return "the person was sent to the authorization endpoint"
	}
	return ""
}

// setMember sets a member of a JSON object, or removes it if value is nil.
func setMember(object map[string]any, name string, value any) {
	if value == nil {
		delete(object, name)
		return
	}
	object[name] = value
}
