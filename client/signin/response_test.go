package signin_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client/discovery"
	"mcpentra/client/signin"
)

func TestReadResponseRefusesOtherResponses(t *testing.T) {
	t.Parallel()
	authorization := begin(t, discovery.Issuer{})
	state := authorization.State
	for _, c := range []struct {
		name   string
		params url.Values
	}{
		{"no state", url.Values{"code": {"c"}}},
		{"another state", url.Values{"state": {"x"}, "code": {"c"}}},
		{"half the state", url.Values{"state": {state[:13]}, "code": {"c"}}},
		{"repeated state", url.Values{"state": {state, state}, "code": {"c"}}},
		{"repeated code", url.Values{"state": {state}, "code": {"c", "d"}}},
		{"error with another state", url.Values{"state": {"x"}, "error": {"access_denied"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := authorization.ReadResponse(c.params)
			var mismatch *signin.MismatchError
			require.ErrorAs(t, err, &mismatch)
			assert.NotContains(t, err.Error(), state)
		})
	}
	_, err := authorization.ReadResponse(url.Values{"state": {state}})
	require.ErrorContains(t, err, "neither a code nor an error")
}

func TestReadResponseReturnsRefusal(t *testing.T) {
	t.Parallel()
	authorization := begin(t, discovery.Issuer{})
	_, err := authorization.ReadResponse(url.Values{
		"state":             {authorization.State},
		"error":             {"access_denied"},
		"error_description": {"no\x1b[2J\u202e" + strings.Repeat("x", 9000)},
		"code":              {"c"},
	})
	var refused *signin.RefusedError
	require.ErrorAs(t, err, &refused)
	assert.Equal(t, "access_denied", refused.Code)
	assert.Contains(t, err.Error(), "authorization refused: access_denied (no?[2J?xxx")
	assert.Less(t, len(err.Error()), 600)
}
