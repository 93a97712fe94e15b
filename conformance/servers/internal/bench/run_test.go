package bench_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/bench"
)

// start starts a server and returns it as a target with a good token.
func start(t *testing.T, handler http.HandlerFunc) bench.Target {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return bench.Target{URL: server.URL + "/mcp", Tokens: tokens(bench.Good)}
}

// tokens are tokens that say in their text what is wrong with them.
func tokens(kinds ...bench.TokenKind) map[bench.TokenKind]func(context.Context) (string, error) {
	all := map[bench.TokenKind]func(context.Context) (string, error){}
	for _, kind := range kinds {
		all[kind] = func(context.Context) (string, error) { return "secret-token-" + string(kind), nil }
	}
	return all
}

// serving is a server that takes the good token and no other.
func serving(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer secret-token-good" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(`{"jsonrpc":"2.0","id":1,"result":{}}`))
}

// says answers every request with a status and a body.
func says(status int, kind, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

// refuses wants a token refused once the control has succeeded.
func refuses(kind bench.TokenKind) bench.Check {
	return bench.Check{
		Rule: check.Rule{
			ID:    "server/token/bad",
			Level: check.Must,
		},
		Run: func(ctx context.Context, p *bench.Probe) error {
			if _, err := p.Control(ctx); err != nil {
				return err
			}
			bad, err := p.Token(ctx, kind)
			if err != nil {
				return err
			}
			_, err = p.WantRefused(ctx, bench.Request{Header: bench.Bearer(bad)})
			return err
		},
	}
}

func TestVerdicts(t *testing.T) {
	t.Parallel()
	broken := func(_ context.Context, p *bench.Probe) error { return p.Mismatch("this", "that") }
	returns := func(err error) func(context.Context, *bench.Probe) error {
		return func(context.Context, *bench.Probe) error { return err }
	}
	for name, test := range map[string]struct {
		check bench.Check
		want  check.Verdict
		err   string
	}{
		"a rule that is kept": {bench.Check{
			Rule: check.Rule{
				Level: check.Must,
			},
			Run: returns(nil),
		}, check.Pass, ""},
		"a MUST that is broken": {bench.Check{
			Rule: check.Rule{
				Level: check.Must,
			},
			Run: broken,
		}, check.Fail, "want this, got that"},
		"a SHOULD that is broken": {bench.Check{
			Rule: check.Rule{
				Level: check.Should,
			},
			Run: broken,
		}, check.Warn, "want this, got that"},
		"a policy that is not followed": {bench.Check{
			Rule: check.Rule{
				Level: check.Policy,
			},
			Run: broken,
		}, check.Note, "want this, got that"},
		"a SHOULD in a check of a MUST": {
			bench.Check{
				Rule: check.Rule{
					Level: check.Must,
				},
				Run: func(_ context.Context, p *bench.Probe) error {
					return p.MismatchAt(check.Should, "this", "that")
				},
			}, check.Warn, "want this",
		},
		"a level that there is not": {bench.Check{
			Rule: check.Rule{
				Level: "MAY",
			},
			Run: broken,
		}, check.Error, "want this"},
		"a key that the target does not hand over": {bench.Check{
			Rule: check.Rule{
				Level: check.Must,
			},
			Needs: []bench.Need{bench.IssuerKey},
			Run:   returns(nil),
		}, check.Skip, "needs the issuer's key"},
		"a fixture that the target does not have": {bench.Check{
			Rule: check.Rule{
				Level: check.Must,
			},
			Needs: []bench.Need{bench.OwnServer},
			Run:   returns(nil),
		}, check.Skip, "needs a server of its own, with its issuer's keys"},
		"tools that the target does not have": {bench.Check{
			Rule: check.Rule{
				Level: check.Must,
			},
			Needs: []bench.Need{bench.HandleTools},
			Run:   returns(nil),
		}, check.Skip, "needs a tool that hands out state"},
		"a view that the target does not give": {bench.Check{
			Rule: check.Rule{
				Level: check.Must,
			},
			Needs: []bench.Need{bench.ForwardedView},
			Run:   returns(nil),
		}, check.Skip, "needs a view of what the server sends on"},
		"a canary that the target does not have": {bench.Check{
			Rule: check.Rule{
				Level: check.Must,
			},
			Needs: []bench.Need{bench.CanaryTool},
			Run:   returns(nil),
		}, check.Skip, "needs a tool that shows when it has run"},
		"a token that the target does not supply": {
			bench.Check{
				Rule: check.Rule{
					Level: check.Must,
				},
				Tokens: []bench.TokenKind{bench.Expired},
				Run:    returns(nil),
			}, check.Skip, "needs a token of the kind: expired",
		},
		"a token that the check forgot to need": {
			refuses(bench.Expired),
			check.Error,
			"cannot judge: no token of the kind: expired",
		},
		"a rule about what is not there": {
			bench.Check{
				Rule: check.Rule{
					Level: check.Must,
				},
				Run: returns(&check.NotApplicable{Reason: "no pages"}),
			}, check.Skip, "does not apply: no pages",
		},
		"a revision that is not spoken": {
			bench.Check{
				Rule: check.Rule{
					Level: check.Must,
				},
				Run: returns(&check.NotSpoken{Revision: check.R20260728}),
			}, check.Skip, "it does not speak MCP 2026-07-28",
		},
		"an error of no known kind": {bench.Check{
			Rule: check.Rule{
				Level: check.Must,
			},
			Run: returns(errors.New("what now")),
		}, check.Error, "what now"},
		"a mismatch that a failed control wraps": {
			bench.Check{
				Rule: check.Rule{
					Level: check.Must,
				},
				Run: func(_ context.Context, p *bench.Probe) error {
					return &check.CannotJudge{Reason: "no document", Err: p.Mismatch("this", "that")}
				},
			}, check.Error, "cannot judge: no document: want this, got that",
		},
		"a check that panics": {
			bench.Check{
				Rule: check.Rule{
					Level: check.Must,
				},
				Run: func(context.Context, *bench.Probe) error { panic("no such thing") },
			}, check.Error, "the check itself broke: no such thing",
		},
		"a check without a func": {bench.Check{
			Rule: check.Rule{
				Level: check.Must,
			},
		}, check.Error, "the check itself broke"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			result := bench.RunAt(t.Context(), test.check, start(t, serving), check.R20251125)
			assert.Equal(t, test.want, result.Verdict, "%v", result.Err)
			if test.err == "" {
				assert.NoError(t, result.Err)
			} else {
				assert.ErrorContains(t, result.Err, test.err)
			}
		})
	}
}

func TestVerdictsAreOrderedFromBetterToWorse(t *testing.T) {
	t.Parallel()
	var names []string
	for _, verdict := range []check.Verdict{check.Skip, check.Pass, check.Note, check.Warn, check.Fail, check.Error} {
		assert.Equal(t, len(names), int(verdict))
		names = append(names, verdict.String())
	}
	assert.Equal(t, []string{"skip", "pass", "note", "warn", "fail", "error"}, names)
}

func TestARefusalIsWorthNothingWithoutItsControl(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		handler http.HandlerFunc
		want    check.Verdict
		err     string
	}{
		"the good token is served and the bad one refused": {serving, check.Pass, ""},
		"both are served": {
			says(http.StatusOK, "application/json", `{"result":{}}`),
			check.Fail,
			"want status 401, got status 200",
		},
		"both are refused": {
			says(http.StatusUnauthorized, "text/plain", "no"),
			check.Error,
			"the control failed: with a good token the server answers 401",
		},
		"both get a page": {
			says(http.StatusOK, "text/html", "<p>welcome"),
			check.Error,
			"the control failed: with a good token the server answers 200",
		},
		"both get an empty result": {
			says(http.StatusOK, "application/json", `{"result":null}`),
			check.Error,
			"the control failed",
		},
		"both break the server": {
			says(http.StatusInternalServerError, "text/plain", "oh"),
			check.Error,
			"the control failed",
		},
		"both are refused in JSON-RPC's manner": {
			says(http.StatusUnauthorized, "application/json", `{"error":{"code":-32000}}`),
			check.Error,
			"the control failed",
		},
		"both hang up": {
			func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
			check.Error,
			"the server gives no answer",
		},
	} {
		t.Run(name, func(t *testing.T) {
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

func TestADeadTargetIsNeverAPass(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	target := bench.Target{URL: server.URL, Tokens: tokens(bench.Good, bench.Expired)}
	server.Close()
	result := bench.Run(t.Context(), refuses(bench.Expired), target)[0]
	assert.Equal(t, check.Error, result.Verdict)
	assert.ErrorContains(t, result.Err, "cannot judge: the server gives no answer")
}

func TestATokenThatCannotBeHadIsNoVerdictOnTheServer(t *testing.T) {
	t.Parallel()
	target := start(t, serving)
	target.Tokens[bench.Good] = func(context.Context) (string, error) { return "", errors.New("the vault is shut") }
	result := bench.Run(t.Context(), refuses(bench.Good), target)[0]
	assert.Equal(t, check.Error, result.Verdict)
	assert.ErrorContains(t, result.Err, "no token of the kind: good: the vault is shut")
}

func TestACheckThatTakesTooLong(t *testing.T) {
	t.Parallel()
	for name, ending := range map[string]func(context.Context, *bench.Probe) error{
		"and says so":         func(ctx context.Context, _ *bench.Probe) error { return ctx.Err() },
		"and calls it a pass": func(context.Context, *bench.Probe) error { return nil },
		"and blames the server": func(_ context.Context, p *bench.Probe) error {
			return p.Mismatch("an answer", "none")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				result := bench.RunAt(t.Context(), bench.Check{
					Rule: check.Rule{
						Level: check.Must,
					},
					Run: func(ctx context.Context, p *bench.Probe) error {
						<-ctx.Done()
						return ending(ctx, p)
					},
				}, bench.Target{}, check.R20251125)
				assert.Equal(t, check.Error, result.Verdict)
				assert.ErrorContains(t, result.Err, "the check took longer than 30s")
				assert.Equal(t, 30*time.Second, time.Since(began))
			})
		})
	}
}

func TestARunThatIsCancelled(t *testing.T) {
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
	assert.ErrorContains(t, result.Err, "the run was ended")
}

func TestRevisionsThatACheckIsTriedAt(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		check  bench.Check
		spoken []check.Revision
		want   []check.Revision
	}{
		"once, at the newest with a handshake": {bench.Check{}, nil, []check.Revision{check.R20251125}},
		"once, at the only one spoken": {
			bench.Check{},
			[]check.Revision{check.R20260728},
			[]check.Revision{check.R20260728},
		},
		"at each": {bench.Check{
			Rule: check.Rule{
				EachRevision: true,
			},
		}, nil, check.Revisions()},
		"at each of the rule's": {
			bench.Check{
				Rule: check.Rule{
					Revisions:    []check.Revision{check.R20250618, check.R20260728},
					EachRevision: true,
				},
			}, nil,
			[]check.Revision{check.R20250618, check.R20260728},
		},
		"at each that is spoken": {
			bench.Check{
				Rule: check.Rule{
					EachRevision: true,
				},
			}, []check.Revision{check.R20250326, check.R20250618}, []check.Revision{check.R20250326, check.R20250618},
		},
		"at none, and says so": {bench.Check{
			Rule: check.Rule{
				Revisions: []check.Revision{check.R20260728},
			},
		}, []check.Revision{check.R20250326}, []check.Revision{""}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.check.ID = "server/x"
			test.check.Run = func(_ context.Context, p *bench.Probe) error { return nil }
			var got []check.Revision
			for _, result := range bench.Run(t.Context(), test.check, bench.Target{Revisions: test.spoken}) {
				got = append(got, result.Revision)
				if result.Revision == "" {
					assert.Equal(t, check.Skip, result.Verdict)
					assert.Error(t, result.Err)
				}
				if test.check.EachRevision {
					assert.Equal(t, "server/x@"+string(result.Revision), result.Name())
				} else {
					assert.Equal(t, "server/x", result.Name())
				}
			}
			assert.Equal(t, test.want, got)
		})
	}
}

func TestARevisionThatIsClaimedHasToBeSpoken(t *testing.T) {
	t.Parallel()
	target := start(
		t,
		says(http.StatusBadRequest, "application/json", `{"error":{"code":-32022,"message":"unsupported"}}`),
	)
	current := refuses(bench.Good)
	for _, revision := range check.Revisions() {
		assert.Equal(
			t,
			check.Skip,
			bench.RunAt(t.Context(), current, target, revision).Verdict,
			"%s is not claimed",
			revision,
		)
	}
	target.Revisions = check.Revisions()
	for _, revision := range check.Revisions() {
		assert.Equal(
			t,
			check.Error,
			bench.RunAt(t.Context(), current, target, revision).Verdict,
			"%s is claimed",
			revision,
		)
	}
}
