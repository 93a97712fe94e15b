package tokenrequest_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client/tokenrequest"
)

func TestRefusalsAreRead(t *testing.T) {
	t.Parallel()
	const form = "application/x-www-form-urlencoded; charset=utf-8"
	for name, c := range map[string]struct {
		kind, answer string
		want         tokenrequest.Refusal
	}{
		"a code":        {"application/json", `{"error":"e"}`, tokenrequest.Refusal{Code: "e"}},
		"a description": {"", `{"error":"e","error_description":"d"}`, tokenrequest.Refusal{Code: "e", Description: "d"}},
		"a form": {
			form, `error=e&error_description=not+you`, tokenrequest.Refusal{Code: "e", Description: "not you"},
		},
		"a form without one": {form, `access_token=t`, tokenrequest.Refusal{}},
		"no form":            {form, `%zz`, tokenrequest.Refusal{}},
		"text like a form":   {"text/plain", `error=e`, tokenrequest.Refusal{}},
		"an object": {
			"", `{"error":{"code":403,"message":"m"}}`, tokenrequest.Refusal{Code: "403", Description: "m", Odd: true},
		},
		"an object with a type": {"", `{"error":{"type":"t","code":null}}`, tokenrequest.Refusal{Code: "t", Odd: true}},
		"an empty object":       {"", `{"error":{}}`, tokenrequest.Refusal{Code: "error", Odd: true}},
		"null":                  {"", `{"error":null,"access_token":"t"}`, tokenrequest.Refusal{}},
		"an empty code":         {"", `{"error":"","access_token":"t"}`, tokenrequest.Refusal{}},
		"false":                 {"", `{"error":false,"access_token":"t"}`, tokenrequest.Refusal{}},
		"an odd description":    {"", `{"error":"e","error_description":["d"]}`, tokenrequest.Refusal{Code: "e"}},
		"no object":             {"", `["error"]`, tokenrequest.Refusal{}},
		"nothing":               {"", ``, tokenrequest.Refusal{}},
		"what a terminal acts on": {
			form, "error=e%1b[31m&error_description=%E2%80%AEd", tokenrequest.Refusal{Code: "e?[31m", Description: "?d"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, c.want, tokenrequest.ReadRefusal(c.kind, []byte(c.answer)))
		})
	}
	long := tokenrequest.ReadRefusal("", []byte(`{"error":{"code":"`+strings.Repeat("x", 5000)+`"}}`))
	assert.Less(t, len(long.Code), 600)
}

// TestAnErrorThatIsAnObject is shown, and does not end a grant: it may come from a gateway.
func TestAnErrorThatIsAnObject(t *testing.T) {
	t.Parallel()
	for _, status := range []int{200, 403} {
		i := newIssuer(t, status, `{"error":{"code":"Throttled","message":"later"}}`)
		_, err := i.endpoint(tokenrequest.Client{ID: "f5a3"}).Refresh(t.Context(), "r-0", "")
		require.ErrorContains(t, err, "Throttled: later")
		var refused *tokenrequest.Error
		assert.NotErrorAs(t, err, &refused)
	}
}
