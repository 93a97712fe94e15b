package rules

import (
	"encoding/json"
	"slices"

	"mcpentra/fakeentra/aadsts"
)

// A ClaimsRequest is the parameter claims (OpenID Connect Core section 5.5) in the form of
// Microsoft's libraries. It asks for authentication contexts or a second factor, and lists the
// client's capabilities.
type ClaimsRequest struct {
	SecondFactor bool
	Contexts     []string // acrs
	Capabilities []string // xms_cc
}

// ReadClaimsRequest reads the parameter claims. An empty text asks for nothing.
func ReadClaimsRequest(text string) (ClaimsRequest, *aadsts.Error) {
	var wishes ClaimsRequest
	if text == "" {
		return wishes, nil
	}
	type wish struct {
		Value  string   `json:"value"`
		Values []string `json:"values"`
	}
	var wanted struct {
		AccessToken map[string]*wish `json:"access_token"`
	}
	if len(text) > 16<<10 || json.Unmarshal([]byte(text), &wanted) != nil {
		return wishes, aadsts.Malformed()
	}
	values := func(name string) []string {
		asked := wanted.AccessToken[name]
		if asked == nil {
			return nil
		}
		all := slices.Clone(asked.Values)
		if asked.Value != "" {
			all = append(all, asked.Value)
		}
		return all[:min(len(all), 25)]
	}
	wishes.Contexts = values("acrs")
	wishes.Capabilities = values("xms_cc")
	wishes.SecondFactor = len(wishes.Contexts) > 0 || len(values("capolids")) > 0
	return wishes, nil
}
