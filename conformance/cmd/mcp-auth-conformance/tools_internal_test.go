package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers"
)

func written(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "log")
	require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
	return name
}

// TestToolFlagsFillTarget wants each flag in the target, as a Go test gives it.
func TestToolFlagsFillTarget(t *testing.T) {
	t.Parallel()
	options := toolOptions{
		canary:        "echo",
		canaryLog:     written(t, "ran abc\nran def\nran abc again\n"),
		whoami:        "whoami",
		whoamiField:   "structuredContent.id",
		makeState:     "make",
		useState:      "use",
		rounds:        "ask",
		roundsAnswers: `{"name":{"action":"accept"}}`,
		roundsExpire:  "test {state} = abc",
		task:          "slow",
		serverLog:     written(t, "started"),
		upstreamLog: written(t, `{"url":"http://up/a","header":{"X-A":"1","X-B":["2","3"]},"body":"hello"}`+
			"\nplain line\n"),
	}
	target := &servers.Target{}
	require.NoError(t, options.fill(target))
	assert.Equal(t, 2, target.Canary.Ran("abc"))
	assert.Zero(t, target.Canary.Ran("xyz"))
	assert.Equal(t, "7", target.Whoami.Caller([]byte(`{"structuredContent":{"id":7}}`)))
	assert.Empty(t, target.Whoami.Caller([]byte(`{"content":[]}`)))
	assert.Equal(t, &servers.Handles{Make: "make", Use: "use"}, target.Handles)
	assert.Contains(t, target.Rounds.Answers, "name")
	assert.NoError(t, target.Rounds.Expire(t.Context(), "abc"))
	assert.ErrorContains(t, target.Rounds.Expire(t.Context(), "other"), "--rounds-expire")
	assert.Equal(t, "slow", target.TaskTool)
	assert.Equal(t, "started", target.Log())
	sent := target.Forwarded()
	require.Len(t, sent, 2)
	assert.Equal(t, "http://up/a", sent[0].URL)
	assert.Equal(t, []string{"2", "3"}, sent[0].Header.Values("X-B"))
	assert.Equal(t, "hello", string(sent[0].Body))
	assert.Equal(t, "plain line", string(sent[1].Body))
}

func TestValueAtFollowsPath(t *testing.T) {
	t.Parallel()
	const result = `{"content":[{"type":"text","text":"Ada"}]}`
	for path, want := range map[string]string{
		"content.0.text": "Ada",
		"content.1.text": "",
		"content.x":      "",
		"content.0":      `{"text":"Ada","type":"text"}`,
		"missing.name":   "",
	} {
		assert.Equal(t, want, valueAt([]byte(result), strings.Split(path, ".")), path)
	}
}

// TestMissingInputsAreCounted wants the inputs of skipped checks only.
func TestMissingInputsAreCounted(t *testing.T) {
	t.Parallel()
	found := &check.Report{}
	for _, current := range servers.Checks() {
		verdict := check.Pass
		if current.ID == "server/token/expired" || current.ID == "server/token/expiry-form" {
			verdict = check.Skip
		}
		found.Results = append(found.Results, check.Result{Rule: current.Rule, Verdict: verdict})
	}
	var out strings.Builder
	writeMissing(&out, &servers.Target{Rounds: &servers.Rounds{}}, found)
	assert.Equal(t, `
More checks can run with more inputs. The number is how many need each:
    2  --sign-in or --token-file FILE: a token of the kind good
    1  --issuer-key FILE, --fakeentra URL or --rig HOST:PORT: the issuer's key
    1  --rounds-expire COMMAND: a way to let request state expire
    1  --sign-in or --issuer-key FILE or --expired-token-file FILE: a token of the kind expired
`, out.String())
}

// TestEveryNeedHasInput wants advice for each need and each kind of token of a check.
func TestEveryNeedHasInput(t *testing.T) {
	t.Parallel()
	for _, current := range servers.Checks() {
		for _, need := range current.Needs {
			known := false
			for _, input := range inputs {
				known = known || input.need == need
			}
			assert.True(t, known, "%s needs %s", current.ID, need)
		}
		for _, kind := range current.Tokens {
			assert.NotRegexp(t, "^:", tokenInput(kind), current.ID)
		}
	}
}
