package engine_test

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

	"mcpentra/conformance/engine"
)

// start starts a server and returns it as a target with a good token.
func start(t *testing.T, handler http.HandlerFunc) engine.Target {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return engine.Target{URL: server.URL + "/mcp", Tokens: tokens(engine.Good)}
}

// tokens are tokens that say in their text what is wrong with them.
func tokens(kinds ...engine.TokenKind) map[engine.TokenKind]func(context.Context) (string, error) {
	all := map[engine.TokenKind]func(context.Context) (string, error){}
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
func refuses(kind engine.TokenKind) engine.Check {
	return engine.Check{ID: "server/token/bad", Level: engine.Must, Run: func(ctx context.Context, p *engine.Probe) error {
		if _, err := p.Control(ctx); err != nil {
			return err
		}
		bad, err := p.Token(ctx, kind)
		if err != nil {
			return err
		}
		_, err = p.WantRefused(ctx, engine.Request{Header: engine.Bearer(bad)})
		return err
	}}
}

func TestVerdicts(t *testing.T) {
	t.Parallel()
	broken := func(_ context.Context, p *engine.Probe) error { return p.Mismatch("this", "that") }
	returns := func(err error) func(context.Context, *engine.Probe) error {
		return func(context.Context, *engine.Probe) error { return err }
	}
	for name, test := range map[string]struct {
		check engine.Check
		want  engine.Verdict
		err   string
	}{
		"a rule that is kept":           {engine.Check{Level: engine.Must, Run: returns(nil)}, engine.Pass, ""},
		"a MUST that is broken":         {engine.Check{Level: engine.Must, Run: broken}, engine.Fail, "want this, got that"},
		"a SHOULD that is broken":       {engine.Check{Level: engine.Should, Run: broken}, engine.Warn, "want this, got that"},
		"a policy that is not followed": {engine.Check{Level: engine.Policy, Run: broken}, engine.Note, "want this, got that"},
		"a SHOULD in a check of a MUST": {
			engine.Check{Level: engine.Must, Run: func(_ context.Context, p *engine.Probe) error { return p.Lesser(engine.Should, "this", "that") }}, engine.Warn, "want this",
		},
		"a level that there is not":                {engine.Check{Level: "MAY", Run: broken}, engine.Error, "want this"},
		"a key that the target does not hand over": {engine.Check{Level: engine.Must, NeedsMint: true, Run: returns(nil)}, engine.Skip, "needs the issuer's key"},
		"a rig that the target does not have":      {engine.Check{Level: engine.Must, NeedsRig: true, Run: returns(nil)}, engine.Skip, "needs a server of its own, with its issuer's keys"},
		"tools that the target does not have":      {engine.Check{Level: engine.Must, NeedsHandles: true, Run: returns(nil)}, engine.Skip, "needs a tool that hands out state"},
		"a view that the target does not give":     {engine.Check{Level: engine.Must, NeedsForwarded: true, Run: returns(nil)}, engine.Skip, "needs a view of what the server sends on"},
		"a canary that the target does not have":   {engine.Check{Level: engine.Must, NeedsCanary: true, Run: returns(nil)}, engine.Skip, "needs a tool that shows when it has run"},
		"a token that the target does not supply": {
			engine.Check{Level: engine.Must, Needs: []engine.TokenKind{engine.Expired}, Run: returns(nil)}, engine.Skip, "needs a token of the kind: expired",
		},
		"a token that the check forgot to need": {refuses(engine.Expired), engine.Error, "cannot judge: no token of the kind: expired"},
		"a rule about what is not there": {
			engine.Check{Level: engine.Must, Run: returns(&engine.NotApplicable{Reason: "no pages"})}, engine.Skip, "does not apply: no pages",
		},
		"a revision that is not spoken": {
			engine.Check{Level: engine.Must, Run: returns(&engine.NotSpoken{Revision: engine.R20260728})}, engine.Skip, "it does not speak MCP 2026-07-28",
		},
		"an error of no known kind": {engine.Check{Level: engine.Must, Run: returns(errors.New("what now"))}, engine.Error, "what now"},
		"a mismatch that a failed control wraps": {
			engine.Check{Level: engine.Must, Run: func(_ context.Context, p *engine.Probe) error {
				return &engine.CannotJudge{Reason: "no document", Err: p.Mismatch("this", "that")}
			}}, engine.Error, "cannot judge: no document: want this, got that",
		},
		"a check that panics": {
			engine.Check{Level: engine.Must, Run: func(context.Context, *engine.Probe) error { panic("no such thing") }}, engine.Error, "the check itself broke: no such thing",
		},
		"a check without a func": {engine.Check{Level: engine.Must}, engine.Error, "the check itself broke"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			result := engine.RunAt(t.Context(), test.check, start(t, serving), engine.R20251125)
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
	for _, verdict := range []engine.Verdict{engine.Skip, engine.Pass, engine.Note, engine.Warn, engine.Fail, engine.Error} {
		assert.Equal(t, len(names), int(verdict))
		names = append(names, verdict.String())
	}
	assert.Equal(t, []string{"skip", "pass", "note", "warn", "fail", "error"}, names)
}

func TestARefusalIsWorthNothingWithoutItsControl(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		handler http.HandlerFunc
		want    engine.Verdict
		err     string
	}{
		"the good token is served and the bad one refused": {serving, engine.Pass, ""},
		"both are served":                       {says(http.StatusOK, "application/json", `{"result":{}}`), engine.Fail, "want status 401, got status 200"},
		"both are refused":                      {says(http.StatusUnauthorized, "text/plain", "no"), engine.Error, "the control failed: with a good token the server answers 401"},
		"both get a page":                       {says(http.StatusOK, "text/html", "<p>welcome"), engine.Error, "the control failed: with a good token the server answers 200"},
		"both get an empty result":              {says(http.StatusOK, "application/json", `{"result":null}`), engine.Error, "the control failed"},
		"both break the server":                 {says(http.StatusInternalServerError, "text/plain", "oh"), engine.Error, "the control failed"},
		"both are refused in JSON-RPC's manner": {says(http.StatusUnauthorized, "application/json", `{"error":{"code":-32000}}`), engine.Error, "the control failed"},
		"both hang up":                          {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, engine.Error, "the server gives no answer"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			target := start(t, test.handler)
			target.Tokens = tokens(engine.Good, engine.Expired)
			for _, revision := range engine.Revisions() {
				result := engine.RunAt(t.Context(), refuses(engine.Expired), target, revision)
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
	target := engine.Target{URL: server.URL, Tokens: tokens(engine.Good, engine.Expired)}
	server.Close()
	result := engine.Run(t.Context(), refuses(engine.Expired), target)[0]
	assert.Equal(t, engine.Error, result.Verdict)
	assert.ErrorContains(t, result.Err, "cannot judge: the server gives no answer")
}

func TestATokenThatCannotBeHadIsNoVerdictOnTheServer(t *testing.T) {
	t.Parallel()
	target := start(t, serving)
	target.Tokens[engine.Good] = func(context.Context) (string, error) { return "", errors.New("the vault is shut") }
	result := engine.Run(t.Context(), refuses(engine.Good), target)[0]
	assert.Equal(t, engine.Error, result.Verdict)
	assert.ErrorContains(t, result.Err, "no token of the kind: good: the vault is shut")
}

func TestACheckThatTakesTooLong(t *testing.T) {
	t.Parallel()
	for name, ending := range map[string]func(context.Context, *engine.Probe) error{
		"and says so":           func(ctx context.Context, _ *engine.Probe) error { return ctx.Err() },
		"and calls it a pass":   func(context.Context, *engine.Probe) error { return nil },
		"and blames the server": func(_ context.Context, p *engine.Probe) error { return p.Mismatch("an answer", "none") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				result := engine.RunAt(t.Context(), engine.Check{Level: engine.Must, Run: func(ctx context.Context, p *engine.Probe) error {
					<-ctx.Done()
					return ending(ctx, p)
				}}, engine.Target{}, engine.R20251125)
				assert.Equal(t, engine.Error, result.Verdict)
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
	result := engine.Run(ctx, refuses(engine.Good), target)[0]
	assert.Equal(t, engine.Error, result.Verdict)
	require.ErrorIs(t, result.Err, context.Canceled)
	assert.ErrorContains(t, result.Err, "the run was ended")
}

func TestRevisionsThatACheckIsTriedAt(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		check  engine.Check
		spoken []engine.Revision
		want   []engine.Revision
	}{
		"once, at the newest with a handshake": {engine.Check{}, nil, []engine.Revision{engine.R20251125}},
		"once, at the only one spoken":         {engine.Check{}, []engine.Revision{engine.R20260728}, []engine.Revision{engine.R20260728}},
		"at each":                              {engine.Check{EachRevision: true}, nil, engine.Revisions()},
		"at each of the rule's": {
			engine.Check{EachRevision: true, Revisions: []engine.Revision{engine.R20250618, engine.R20260728}}, nil,
			[]engine.Revision{engine.R20250618, engine.R20260728},
		},
		"at each that is spoken": {
			engine.Check{EachRevision: true}, []engine.Revision{engine.R20250326, engine.R20250618}, []engine.Revision{engine.R20250326, engine.R20250618},
		},
		"at none, and says so": {engine.Check{Revisions: []engine.Revision{engine.R20260728}}, []engine.Revision{engine.R20250326}, []engine.Revision{""}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.check.ID = "server/x"
			test.check.Run = func(_ context.Context, p *engine.Probe) error { return nil }
			var got []engine.Revision
			for _, result := range engine.Run(t.Context(), test.check, engine.Target{Revisions: test.spoken}) {
				got = append(got, result.Revision)
				if result.Revision == "" {
					assert.Equal(t, engine.Skip, result.Verdict)
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
	target := start(t, says(http.StatusBadRequest, "application/json", `{"error":{"code":-32022,"message":"unsupported"}}`))
	check := refuses(engine.Good)
	for _, revision := range engine.Revisions() {
		assert.Equal(t, engine.Skip, engine.RunAt(t.Context(), check, target, revision).Verdict, "%s is not claimed", revision)
	}
	target.Revisions = engine.Revisions()
	for _, revision := range engine.Revisions() {
		assert.Equal(t, engine.Error, engine.RunAt(t.Context(), check, target, revision).Verdict, "%s is claimed", revision)
	}
}
