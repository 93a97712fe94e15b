package tokenrequest_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client/tokenrequest"
)

func TestRefreshReturnsRefusal(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		status int
		body   string
		text   string
	}{
		{
			"the grant has ended",
			400,
			`{"error":"invalid_grant","error_description":"revoked"}`,
			"invalid_grant: revoked",
		},
		{"the client is unknown", 401, `{"error":"invalid_client"}`, "invalid_client"},
		{"status 200", 200, `{"error":"bad","error_description":"gone"}`, "bad: gone"},
		{"a token beside the error", 200, `{"error":"no","access_token":"a-1","token_type":"Bearer"}`, "no"},
		{
			"control characters",
			400,
			`{"error":"x\u001b[2J","error_description":"\u202e\u0007"}`,
			"x?[2J: ??",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			i := newFakeIssuer(t, c.status, c.body)
			_, err := i.endpoint(tokenrequest.Client{ID: "f5a3"}).Refresh(t.Context(), "r-secret", "")
			var refused *tokenrequest.Error
			require.ErrorAs(t, err, &refused)
			assert.Equal(t, c.text, err.Error())
			assert.Equal(t, c.status, refused.Status)
		})
	}
}

func TestReadRefusalFindsError(t *testing.T) {
	t.Parallel()
	const form = "application/x-www-form-urlencoded; charset=utf-8"
	type refusal = tokenrequest.Refusal
	for _, c := range []struct {
		name, contentType, response string
		want                        refusal
	}{
		{"code", "application/json", `{"error":"e"}`, refusal{Code: "e"}},
		{"description", "", `{"error":"e","error_description":"d"}`, refusal{Code: "e", Description: "d"}},
		{"form", form, `error=e&error_description=not+you`, refusal{Code: "e", Description: "not you"}},
		{"form without an error", form, `access_token=t`, refusal{}},
		{"malformed form", form, `%zz`, refusal{}},
		{"text like a form", "text/plain", `error=e`, refusal{}},
		{
			"object",
			"",
			`{"error":{"code":403,"message":"m"}}`,
			refusal{Code: "403", Description: "m", IsObject: true},
		},
		{"object with a type", "", `{"error":{"type":"t","code":null}}`, refusal{Code: "t", IsObject: true}},
		{"empty object", "", `{"error":{}}`, refusal{Code: "error", IsObject: true}},
		{"null", "", `{"error":null,"access_token":"t"}`, refusal{}},
		{"empty code", "", `{"error":"","access_token":"t"}`, refusal{}},
		{"false", "", `{"error":false,"access_token":"t"}`, refusal{}},
		{"description in a list", "", `{"error":"e","error_description":["d"]}`, refusal{Code: "e"}},
		{"list", "", `["error"]`, refusal{}},
		{"empty response", "", ``, refusal{}},
		{
			"control characters",
			form,
			"error=e%1b[31m&error_description=%E2%80%AEd",
			refusal{Code: "e?[31m", Description: "?d"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, c.want, tokenrequest.ReadRefusal(c.contentType, []byte(c.response)))
		})
	}
	long := tokenrequest.ReadRefusal("", []byte(`{"error":{"code":"`+strings.Repeat("x", 5000)+`"}}`))
	assert.Less(t, len(long.Code), 600)
}

// TestErrorObjectIsNoRefusal has an error that may come from a gateway. It is shown, and does not
// end a grant.
func TestErrorObjectIsNoRefusal(t *testing.T) {
	t.Parallel()
	for _, status := range []int{200, 403} {
		i := newFakeIssuer(t, status, `{"error":{"code":"Throttled","message":"later"}}`)
		_, err := i.endpoint(tokenrequest.Client{ID: "f5a3"}).Refresh(t.Context(), "r-0", "")
		require.ErrorContains(t, err, "Throttled: later")
		var refused *tokenrequest.Error
		assert.NotErrorAs(t, err, &refused)
	}
}
