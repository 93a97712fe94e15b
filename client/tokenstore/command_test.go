package tokenstore_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client/tokenstore"
)

func TestCommandReportsFailures(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		words []string
		text  string
	}{
		{"missing program", []string{"/nowhere/helper"}, "/nowhere/helper get"},
		{
			"exit status with a complaint",
			[]string{"sh", "-c", `printf 'the vault is \033[2Jsealed\nmore' >&2; exit 3`},
			"exit status 3: the vault is ?[2Jsealed",
		},
		{"output other than JSON", []string{"echo", "hello"}, "want the stored record as JSON, or nothing"},
		{"endless output", []string{"sh", "-c", "yes | head -c 5000000"}, "more than 4194304 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			tokens, err := tokenstore.NewCommand(c.words, t.TempDir())
			require.NoError(t, err)
			_, err = tokens.Load(t.Context(), mcpKey)
			require.ErrorContains(t, err, c.text)
			assert.NotContains(t, err.Error(), "\n")
		})
	}
	_, err := tokenstore.NewCommand(nil, t.TempDir())
	require.ErrorContains(t, err, "want a command")
}
