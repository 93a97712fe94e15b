package graph

import (
	"net/http"
	"slices"
)

// userInfo is the endpoint of OpenID Connect Core section 5.3. It needs a token for Graph with the
// scope openid. It returns the sub in the client's ID tokens.
func (c *call) userInfo() {
	type claims struct {
		Subject string `json:"sub"`
		Name    string `json:"name,omitempty"`
		Family  string `json:"family_name,omitempty"`
		Given   string `json:"given_name,omitempty"`
		Picture string `json:"picture,omitempty"`
		Email   string `json:"email,omitempty"`
	}
	answer := claims{Subject: c.caller.SubjectAtClient}
	if slices.Contains(c.caller.Scopes, "profile") {
		answer.Name = c.person.DisplayName
		answer.Family = c.person.Surname
		answer.Given = c.person.GivenName
		answer.Picture = c.Origin + "/v1.0/me/photo/$value"
	}
	if slices.Contains(c.caller.Scopes, "email") {
		answer.Email = c.person.Mail
	}
	c.write(http.StatusOK, answer)
}
