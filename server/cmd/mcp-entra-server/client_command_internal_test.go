package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestClientSecretHashesInput gives the command a secret of the operator's own.
func TestClientSecretHashesInput(t *testing.T) {
	t.Parallel()
	run := func(secret string) (string, error) {
		var out bytes.Buffer
		command := newCommand()
		command.SetIn(strings.NewReader(secret))
		command.SetOut(&out)
		command.SetArgs([]string{"client", "secret", "--stdin"})
		err := command.ExecuteContext(t.Context())
		return out.String(), err
	}
	out, err := run("tGzv3JOkF0XG5Qx2TlKWIA\n")
	require.NoError(t, err)
	assert.Regexp(t, `^hash:   sha256:[A-Za-z0-9_-]{43}\n$`, out)
	out, err = run("hunter2\n")
	require.ErrorContains(t, err, "at least 128 bits")
	assert.NotContains(t, out+err.Error(), "hunter2")
}
