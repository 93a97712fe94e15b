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

// TestReadResponseChecksIss has the four rows of MCP 2026-07-28 for the parameter iss, each with
// right and wrong values. "Promised" means authorization_response_iss_parameter_supported.
func TestReadResponseChecksIss(t *testing.T) {
	t.Parallel()
	const evil = "https://evil.example.com"
	for _, c := range []struct {
		name       string
		isPromised bool
		iss        []string
		accepted   bool
	}{
		{"promised, right", true, []string{login}, true},
		{"promised, wrong", true, []string{evil}, false},
		{"promised, absent", true, nil, false},
		{"promised, empty", true, []string{""}, false},
		{"not promised, right", false, []string{login}, true},
		{"not promised, wrong", false, []string{evil}, false},
		{"not promised, additional slash", false, []string{login + "/"}, false},
		{"not promised, another case", false, []string{strings.ToUpper(login)}, false},
		{"not promised, empty", false, []string{""}, false},
		{"not promised, absent", false, nil, true},
		{"right and then wrong", true, []string{login, evil}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			authorization := begin(t, discovery.Issuer{IssInResponse: c.isPromised})
			params := url.Values{"state": {authorization.State}, "code": {"c-1"}}
			if c.iss != nil {
				params["iss"] = c.iss
			}
			response, err := authorization.ReadResponse(params)
			if c.accepted {
				require.NoError(t, err)
				assert.Equal(t, "c-1", response.Code)
				return
			}
			var mismatch *signin.MismatchError
			require.ErrorAs(t, err, &mismatch)
			assert.Equal(t, len(c.iss) > 1, mismatch.What == "a single parameter")

			// The error of another server is not shown, either.
			params.Del("code")
			params.Set("error", "access_denied")
			_, err = authorization.ReadResponse(params)
			require.ErrorAs(t, err, &mismatch)
		})
	}
}
