package broker

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"mcpentra/server/entra"
)

// TestEntraRefusals shows what a client gets for each of Entra's usual refusals at a sign-in.
func TestEntraRefusals(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		aadsts int
		code   string // of Entra
		silent bool
		want   string // the client's code
	}{
		{"the person cancels", 0, "access_denied", false, "access_denied"},
		{"the person declines consent", 65004, "access_denied", false, "access_denied"},
		{"consent is declined under another code", 65004, "consent_required", false, "access_denied"},
		{"an administrator has to consent", 90094, "access_denied", false, "access_denied"},
		{"no person is signed in", 50058, "login_required", true, "login_required"},
		{"several accounts are signed in", 16000, "interaction_required", true, "interaction_required"},
		{"a second factor is missing", 50076, "interaction_required", true, "interaction_required"},
		{"consent is missing, silently", 65001, "consent_required", true, "consent_required"},
		{"consent is missing", 65001, "invalid_grant", false, "server_error"},
		{"the person is not assigned", 50105, "invalid_grant", false, "access_denied"},
		{"Conditional Access blocks", 53003, "invalid_grant", false, "server_error"},
		{"interaction is required, with pages", 50076, "interaction_required", false, "server_error"},
		{"the secret has expired", 7000222, "invalid_client", false, "server_error"},
		{"no number", 0, "invalid_request", false, "server_error"},
		{"Entra is busy", 0, "temporarily_unavailable", true, "temporarily_unavailable"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			refused := &entra.Error{Op: "sign-in", Code: test.code, AADSTS: test.aadsts, Description: "names Adele"}
			problem := signInError(refused, test.silent)
			assert.Equal(t, test.want, problem.code)
			assert.NotContains(t, problem.description, "Adele")
			assert.Equal(t, refused.Error(), problem.reason())
			assert.True(t, problem.grave)
		})
	}
	number := signInError(&entra.Error{Code: "invalid_grant", AADSTS: 50105}, false)
	assert.Contains(t, number.description, "AADSTS50105")
	unreachable := signInError(&entra.UnavailableError{Op: "code"}, false)
	assert.Equal(t, "temporarily_unavailable", unreachable.code)
	assert.Equal(t, "server_error", signInError(assert.AnError, false).code, "an answer that cannot be used")
}
