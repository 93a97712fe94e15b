package main

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/check"
	"mcpentra/conformance/report"
)

// TestProgressGivesWayToResults shows progress and results on one terminal.
func TestProgressGivesWayToResults(t *testing.T) {
	t.Parallel()
	var terminal bytes.Buffer
	s := openScreen(&terminal, &terminal, "never")
	s.progress = &terminal
	s.ended(1, 3)
	s.add(check.Result{Rule: check.Rule{ID: "server/token/expired"}, Verdict: check.Fail, Err: errors.New("x")})
	s.ended(2, 3)
	s.close()
	s.ended(3, 3)
	want := "\r\x1b[K1 of 3 checks, 0 failed, 0s\r\x1b[Kserver/token\nfail  server/token/expired\n      x\n" +
		"\r\x1b[K2 of 3 checks, 1 failed, 0s\r\x1b[K"
	assert.Equal(t, want, terminal.String())
}

// TestColoursNeedATerminal has no colours in a buffer, unless they are asked for.
func TestColoursNeedATerminal(t *testing.T) {
	t.Parallel()
	for colours, want := range map[string]bool{"auto": false, "never": false, "always": true} {
		s := openScreen(&bytes.Buffer{}, &bytes.Buffer{}, colours)
		assert.Equal(t, want, s.terminal.Colours, colours)
		assert.Nil(t, s.progress, "a buffer shows no progress")
		s.close()
	}
	options := runOptions{colours: "blue"}
	options.selected.Parallel = 1
	assert.ErrorContains(t, options.read(serverRules()), `--color: want auto, always or never, got "blue"`)
}

// TestInterruptedRunKeepsItsResults ends a run after its first result.
func TestInterruptedRunKeepsItsResults(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	command := newCommand()
	command.SetOut(&out)
	options := runOptions{}
	options.begin(command, nil)
	result := check.Result{Rule: check.Rule{ID: "server/token/expired", Level: check.Must}, Verdict: check.Pass}
	options.selected.Progress(result)
	err := options.finish(&check.Report{Results: []check.Result{result}}, context.Canceled, nil)
	require.ErrorIs(t, err, context.Canceled)
	assert.Contains(t, out.String(), "pass  server/token/expired\n")
	assert.Contains(t, out.String(), "1 passed, 0 failed")
	assert.True(t, options.reports.run.Interrupted)
}

// TestSummaryFitsOnOneScreen has many failures of two roles at four revisions.
func TestSummaryFitsOnOneScreen(t *testing.T) {
	t.Parallel()
	var results []check.Result
	for _, role := range []string{"server", "authorization-server"} {
		for i := range 50 {
			for _, revision := range check.Revisions() {
				rule := check.Rule{
					ID:           role + "/token/" + strings.Repeat("x", i+1),
					Level:        check.Must,
					Severity:     check.High,
					EachRevision: true,
				}
				mismatch := &check.Mismatch{Want: "status 401", Got: "status 200", Insecure: i%2 == 0}
				result := check.Result{Rule: rule, Revision: revision, Verdict: check.Fail, Err: mismatch}
				results = append(results, result)
			}
		}
	}
	var out bytes.Buffer
	terminal := report.Terminal{Out: &out}
	require.NoError(t, terminal.Summary(report.New(report.Run{}, results)))
	assert.LessOrEqual(t, strings.Count(out.String(), "\n"), 24)
	assert.Contains(t, out.String(), "and 93 more\n")
	assert.Contains(t, out.String(), "fail  high     server/token/x\n")
	for line := range strings.Lines(out.String()) {
		assert.LessOrEqual(t, len(line), 101)
	}
}
