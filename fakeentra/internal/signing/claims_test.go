package signing

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Whatever a claim holds, it is the JSON that encoding/json would write.
func TestClaimsAreJSON(t *testing.T) {
	t.Parallel()
	for _, value := range []any{
		"",
		"plain",
		`a "quote"`,
		`back\slash`,
		"new\nline",
		"\x00",
		"\x7f",
		"<&>",
		"Zoë",
		"\u2028",
		"\xff",
		int64(-1),
		int64(1) << 60,
		7,
		1.5,
		true,
		nil,
		[]string{"a<", "b"},
		map[string]any{"b": 1, "a": "x"},
		json.Number("12"),
	} {
		want := map[string]any{"value": value, "exp": value, `"odd`: value}
		text, err := appendClaims(nil, want)
		require.NoError(t, err)
		plain, err := json.Marshal(want)
		require.NoError(t, err)
		assert.JSONEq(t, string(plain), string(text))
	}
	_, err := appendClaims(nil, map[string]any{"aud": func() {}})
	assert.Error(t, err)
	empty, err := appendClaims(nil, nil)
	require.NoError(t, err)
	assert.Equal(t, "{}", string(empty))
}
