package checks

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"mcpentra/conformance/check"
	"mcpentra/conformance/clients/internal/bench"
	"mcpentra/conformance/clients/internal/lab"
)

// All are the checks, in the order in which they read best.
func All() []bench.Check {
	return slices.Concat(
		flowChecks(),
		challengeChecks(),
		metadataChecks(),
		issuerChecks(),
		legacyChecks(),
		registrationChecks(),
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
		deviceChecks(),
		signOutChecks(),
		isolationChecks(),
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
}

// The revisions with protected resource metadata, those with a PKCE gate, and the newest.
var (
	since20250618 = []check.Revision{check.R20250618, check.R20251125, check.R20260728}
	since20251125 = []check.Revision{check.R20251125, check.R20260728}
	since20260728 = []check.Revision{check.R20260728}
	handshake     = []check.Revision{check.R20250326, check.R20250618, check.R20251125}
)

// try has the client do its task in a lab of its own, which has ended when try returns.
func try(ctx context.Context, p *bench.Probe, script lab.Script, changes ...func(*bench.Task)) *lab.Lab {
	if script.Revision == "" {
		script.Revision = p.Revision
	}
	l := lab.New(script)
	defer l.Close()
	alone(ctx, p, l, changes...)
	return l
}

// alone runs the client with a directory of its own: what it keeps of one lab must not be there in
// the next, which may have the same ports.
func alone(ctx context.Context, p *bench.Probe, l *lab.Lab, changes ...func(*bench.Task)) {
	own := *p
	if directory, err := os.MkdirTemp(p.State, "run-"); err == nil {
		own.State = directory
	}
	l.Run(ctx, &own, changes...)
}

// control is try in a lab where the client has to get to its end, so that the absence of something
// in another one means something.
func control(ctx context.Context, p *bench.Probe, script lab.Script, changes ...func(*bench.Task)) (*lab.Lab, error) {
	l := try(ctx, p, script, changes...)
	return l, completed(ctx, p, l)
}

func completed(ctx context.Context, p *bench.Probe, l *lab.Lab) error {
	if l.Called() {
		return nil
	}
	if !p.Claimed() && p.Revision != check.R20251125 {
		if open := try(ctx, p, lab.Script{Open: true}); !open.Called() {
			return &check.NotSpoken{Revision: p.Revision}
		}
	}
	return &check.CannotJudge{
		Reason: "the control failed: where everything is in order, the client does not call the tool",
		Err:    ending(l),
	}
}

// ending says how a client ended.
func ending(l *lab.Lab) error {
	if l.Err() == nil {
		return errors.New("it ended without an error")
	}
	return l.Err()
}

// A variant is a lab with one thing special.
type variant struct {
	name   string
	script lab.Script
}

type runClient = func(ctx context.Context, p *bench.Probe) error

// judge judges what a client does where everything is in order.
func judge(script lab.Script, judge func(l *lab.Lab) error) runClient {
	return func(ctx context.Context, p *bench.Probe) error {
		l, err := control(ctx, p, script)
		if err != nil {
			return err
		}
		return judge(l)
	}
}

// stillWorks wants a client to get to its end in each variant. Judge, unless it is nil, looks at
// what it did there.
func stillWorks(script lab.Script, judge func(l *lab.Lab) error, variants ...variant) runClient {
	return func(ctx context.Context, p *bench.Probe) error {
		if _, err := control(ctx, p, script); err != nil {
			return err
		}
		for _, one := range variants {
			l := try(ctx, p, one.script)
			if judge != nil {
				if err := judge(l); err != nil {
					return named(one.name, err)
				}
			}
			if !l.Called() {
				return l.Mismatch("the client to call the tool: "+one.name, fmt.Sprintf("it does not: %v", ending(l)))
			}
		}
		return nil
	}
}

// noHarm wants no variant to do harm. Reached says that a client met what the variant is about;
// without it, there is nothing to judge. Nil means that nothing has to be reached.
func noHarm(
	script lab.Script, reached func(l *lab.Lab) bool, harm func(l *lab.Lab) string, variants ...variant,
) runClient {
	return func(ctx context.Context, p *bench.Probe) error {
		if _, err := control(ctx, p, script); err != nil {
			return err
		}
		for _, one := range variants {
			l := try(ctx, p, one.script)
			if done := harm(l); done != "" {
				return l.Insecure("no harm from "+one.name, done)
			}
			if reached != nil && !reached(l) {
				return &check.CannotJudge{
					Reason: "the client did not come as far as to meet " + one.name,
					Err:    ending(l),
				}
			}
		}
		return nil
	}
}

func named(name string, err error) error {
	var mismatch *check.Mismatch
	if errors.As(err, &mismatch) {
		mismatch.Want += ": " + name
	}
	return err
}

// secondUsed is the harm of going to the authorization server that nobody should go to.
func secondUsed(l *lab.Lab) string {
	if l.Used(lab.Second) {
		return "the authorization server of the false metadata was used"
	}
	return ""
}

// authorized reports whether the person was sent to the authorization server.
func authorized(l *lab.Lab) bool { return len(l.Authorizations(l.Authority())) > 0 }

// sentToAuthorize is the harm of going on to the person.
func sentToAuthorize(l *lab.Lab) string {
	if authorized(l) {
		return "the person was sent to the authorization endpoint"
	}
	return ""
}
