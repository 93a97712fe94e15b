package bench_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/check"
	"mcpentra/conformance/loopback/loopbacktest"
	"mcpentra/conformance/servers/internal/bench"
)

// mismatched is the Run of a check whose rule is broken.
func mismatched(_ context.Context, p *bench.Probe) error { return p.Mismatch("this", "that") }

// returns makes the Run of a check that returns an error.
func returns(err error) func(context.Context, *bench.Probe) error {
	return func(context.Context, *bench.Probe) error { return err }
}

// atLevel returns a check of a level whose rule is broken.
func atLevel(level check.Level) bench.Check {
	return bench.Check{Rule: check.Rule{Level: level}, Run: mismatched}
}

// needing returns a check that needs something of its target.
func needing(need bench.Need) bench.Check {
	return bench.Check{Rule: check.Rule{Level: check.Must}, Needs: []bench.Need{need}, Run: returns(nil)}
}

func TestVerdictsOfErrors(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		check bench.Check
		want  check.Verdict
		err   string
	}{
		{"no error", must(returns(nil)), check.Pass, ""},
		{"a broken MUST", atLevel(check.Must), check.Fail, "want this, got that"},
		{"a broken SHOULD", atLevel(check.Should), check.Warn, "want this, got that"},
		{"a broken policy", atLevel(check.Policy), check.Note, "want this, got that"},
		{"an unknown level", atLevel("MAY"), check.Error, "want this"},
		{"a broken SHOULD in a check of a MUST", must(func(_ context.Context, p *bench.Probe) error {
			return p.MismatchAt(check.Should, "this", "that")
		}), check.Warn, "want this"},
		{
			"a token that the check forgot to need",
			refuses(bench.Expired),
			check.Error,
			"cannot judge: no token of the kind: expired",
		},
		{
			"not applicable",
			must(returns(&check.NotApplicable{Reason: "no pages"})),
			check.Skip,
			"does not apply: no pages",
		},
		{
			"a revision that is not spoken",
			must(returns(&check.NotSpoken{Revision: check.R20260728})),
			check.Skip,
			"the target does not speak MCP 2026-07-28",
		},
		{"an unknown error", must(returns(errors.New("what now"))), check.Error, "what now"},
		{"a mismatch in a failed control", must(func(_ context.Context, p *bench.Probe) error {
			return &check.CannotJudge{Reason: "no document", Err: p.Mismatch("this", "that")}
		}), check.Error, "cannot judge: no document: want this, got that"},
		{"a panic", must(func(context.Context, *bench.Probe) error {
			panic("a mistake")
		}), check.Error, "the check panicked: a mistake"},
		{"a check without Run", must(nil), check.Error, "the check panicked"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			result := bench.RunAt(t.Context(), test.check, start(t, serveGood), check.R20251125)
			assert.Equal(t, test.want, result.Verdict, "%v", result.Err)
			if test.err == "" {
				assert.NoError(t, result.Err)
			} else {
				assert.ErrorContains(t, result.Err, test.err)
			}
		})
	}
}

func TestMissingNeedsSkip(t *testing.T) {
	t.Parallel()
	withToken := must(returns(nil))
	withToken.Tokens = []bench.TokenKind{bench.Expired}
	for _, test := range []struct {
		name  string
		check bench.Check
		err   string
	}{
		{"token", withToken, "needs a token of the kind: expired"},
		{"key", needing(bench.IssuerKey), "needs the issuer's key"},
		{"fixture", needing(bench.OwnServer), "needs a server of its own, with its issuer's keys"},
		{"tools with state", needing(bench.HandleTools), "needs a tool that hands out state"},
		{"view of the upstream", needing(bench.ForwardedView), "needs a view of the requests"},
		{"canary", needing(bench.CanaryTool), "needs a tool that shows when it has run"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			result := bench.RunAt(t.Context(), test.check, start(t, serveGood), check.R20251125)
			assert.Equal(t, check.Skip, result.Verdict, "%v", result.Err)
			assert.ErrorContains(t, result.Err, test.err)
		})
	}
}

func TestVerdictsGetWorse(t *testing.T) {
	t.Parallel()
	var names []string
	for _, verdict := range []check.Verdict{check.Skip, check.Pass, check.Note, check.Warn, check.Fail, check.Error} {
		assert.Equal(t, len(names), int(verdict))
		names = append(names, verdict.String())
	}
	assert.Equal(t, []string{"skip", "pass", "note", "warn", "fail", "error"}, names)
}

func TestRefusalNeedsControl(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		handler http.HandlerFunc
		want    check.Verdict
		err     string
	}{
		{"the good token is served and the bad one refused", serveGood, check.Pass, ""},
		{"both are served", serveResult, check.Fail, "want status 401, got status 200"},
		{
			"both are refused",
			serve(http.StatusUnauthorized, "text/plain", "no"),
			check.Error,
			"the control failed: with a good token the server answers 401",
		},
		{
			"both get a page",
			serve(http.StatusOK, "text/html", "<p>welcome"),
			check.Error,
			"the control failed: with a good token the server answers 200",
		},
		{
			"both get an empty result",
			serve(http.StatusOK, "application/json", `{"result":null}`),
			check.Error,
			"the control failed",
		},
		{
			"both break the server",
			serve(http.StatusInternalServerError, "text/plain", "oh"),
			check.Error,
			"the control failed",
		},
		{
			"both get a JSON-RPC error",
			serve(http.StatusUnauthorized, "application/json", `{"error":{"code":-32000}}`),
			check.Error,
			"the control failed",
		},
		{
			"both hang up",
			func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
			check.Error,
			"the server gives no answer",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			target := start(t, test.handler)
			target.Tokens = tokens(bench.Good, bench.Expired)
			for _, revision := range check.Revisions() {
				result := bench.RunAt(t.Context(), refuses(bench.Expired), target, revision)
				assert.Equal(t, test.want, result.Verdict, "%s: %v", revision, result.Err)
				if test.err != "" {
					assert.ErrorContains(t, result.Err, test.err)
				}
			}
		})
	}
}

func TestDeadTargetIsError(t *testing.T) {
	t.Parallel()
	target := bench.Target{
		URL:    "http://127.0.0.1:" + loopbacktest.Port(t),
		Tokens: tokens(bench.Good, bench.Expired),
	}
	result := bench.Run(t.Context(), refuses(bench.Expired), target)[0]
	assert.Equal(t, check.Error, result.Verdict)
	assert.ErrorContains(t, result.Err, "nothing listens at ")
}

func TestFailingSupplierIsError(t *testing.T) {
	t.Parallel()
	target := start(t, serveGood)
	target.Tokens[bench.Good] = func(context.Context) (string, error) { return "", errors.New("the vault is shut") }
	result := bench.Run(t.Context(), refuses(bench.Good), target)[0]
	assert.Equal(t, check.Error, result.Verdict)
	assert.ErrorContains(t, result.Err, "no token of the kind: good: the vault is shut")
}

func TestTimeoutIsError(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		end  func(context.Context, *bench.Probe) error
	}{
		{"the check says so", func(ctx context.Context, _ *bench.Probe) error { return ctx.Err() }},
		{"the check passes", returns(nil)},
		{"the check blames the server", mismatched},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				slow := must(func(ctx context.Context, p *bench.Probe) error {
					<-ctx.Done()
					return test.end(ctx, p)
				})
				result := bench.RunAt(t.Context(), slow, bench.Target{}, check.R20251125)
				assert.Equal(t, check.Error, result.Verdict)
				assert.ErrorContains(t, result.Err, "the check took longer than 1m0s")
				assert.Equal(t, time.Minute, time.Since(began))
			})
		})
	}
}

// TestSlowTargetGetsMoreTime lets a target take three times as long as usual for its first answer.
func TestSlowTargetGetsMoreTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		target := bench.Target{FirstAnswer: 30 * time.Second}
		var scaled time.Duration
		slow := must(func(ctx context.Context, p *bench.Probe) error {
			scaled = p.Scaled(time.Second)
			<-ctx.Done()
			return nil
		})
		result := bench.RunAt(t.Context(), slow, target, check.R20251125)
		assert.ErrorContains(t, result.Err, "the check took longer than 3m0s")
		assert.Equal(t, 3*time.Second, scaled)
	})
}

func TestCancelIsError(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	target := start(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then does the server watch the connection
		cancel()
		<-r.Context().Done() // the client hangs up
	})
	result := bench.Run(ctx, refuses(bench.Good), target)[0]
	assert.Equal(t, check.Error, result.Verdict)
	require.ErrorIs(t, result.Err, context.Canceled)
	assert.ErrorContains(t, result.Err, "the run was cancelled")
}

func TestRunChoosesRevisions(t *testing.T) {
	t.Parallel()
	early := []check.Revision{check.R20250326, check.R20250618}
	for _, test := range []struct {
		name            string
		rule            check.Rule
		spoken, claimed []check.Revision
		want            []check.Revision
	}{
		{"once, at the newest with a handshake", check.Rule{}, nil, nil, []check.Revision{check.R20251125}},
		{
			"once, at the only one spoken",
			check.Rule{},
			[]check.Revision{check.R20260728},
			nil,
			[]check.Revision{check.R20260728},
		},
		{"at each", check.Rule{EachRevision: true}, nil, nil, check.Revisions()},
		{"at each of the rule's", check.Rule{Revisions: early, EachRevision: true}, nil, nil, early},
		{"at each that is spoken", check.Rule{EachRevision: true}, early, nil, early},
		{"at each that is claimed", check.Rule{EachRevision: true}, nil, early, early},
		{
			"at none, and says so",
			check.Rule{Revisions: []check.Revision{check.R20260728}},
			[]check.Revision{check.R20250326},
			nil,
			[]check.Revision{""},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.rule.ID = "server/x"
			current := bench.Check{Rule: test.rule, Run: returns(nil)}
			var tried []check.Revision
			spoken := test.spoken
			if spoken == nil {
				spoken = check.Revisions()
			}
			target := start(t, speaking(spoken...))
			target.Revisions = test.claimed
			for _, result := range bench.Run(t.Context(), current, target) {
				tried = append(tried, result.Revision)
				if result.Revision == "" {
					assert.Equal(t, check.Skip, result.Verdict)
					assert.Error(t, result.Err)
				}
				if current.EachRevision {
					assert.Equal(t, "server/x@"+string(result.Revision), result.Name())
				} else {
					assert.Equal(t, "server/x", result.Name())
				}
			}
			assert.Equal(t, test.want, tried)
		})
	}
}

func TestClaimedRevisionMustBeSpoken(t *testing.T) {
	t.Parallel()
	target := start(t, serve(http.StatusBadRequest, "application/json",
		`{"error":{"code":-32022,"message":"unsupported"}}`))
	for _, revision := range check.Revisions() {
		result := bench.RunAt(t.Context(), refuses(bench.Good), target, revision)
		assert.Equal(t, check.Skip, result.Verdict, "%s is not claimed", revision)
	}
	target.Revisions = check.Revisions()
	for _, revision := range check.Revisions() {
		result := bench.RunAt(t.Context(), refuses(bench.Good), target, revision)
		assert.Equal(t, check.Error, result.Verdict, "%s is claimed", revision)
	}
}

func TestControlQuotesServersError(t *testing.T) {
	t.Parallel()
	target := start(t, serve(http.StatusOK, "application/json",
		`{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"no upstream for secret-token-good"}}`))
	result := bench.RunAt(t.Context(), refuses(bench.Good), target, check.R20251125)
	assert.Equal(t, check.Error, result.Verdict)
	const want = `cannot judge: the control failed: with a good token the server answers 200 ` +
		`with the error -32603 "no upstream for …"`
	assert.EqualError(t, result.Err, want)
}
