package fakeentra

import (
	"encoding/json"
	"slices"

	"mcpentra/fakeentra/aadsts"
)

// A claimsRequest is what the parameter claims can ask for here (OpenID Connect Core section 5.5, as Microsoft's
// libraries use it): authentication contexts and the second factor of a challenge, and what the client is capable of.
type claimsRequest struct {
	secondFactor bool
	contexts     []string // acrs
	capabilities []string // xms_cc
}

func readClaimsRequest(text string) (claimsRequest, *aadsts.Error) {
	var wishes claimsRequest
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
		one := wanted.AccessToken[name]
		if one == nil {
			return nil
		}
		all := slices.Clone(one.Values)
		if one.Value != "" {
			all = append(all, one.Value)
		}
		return all[:min(len(all), 25)]
	}
	wishes.contexts, wishes.capabilities = values("acrs"), values("xms_cc")
	wishes.secondFactor = len(wishes.contexts) > 0 || len(values("capolids")) > 0
	return wishes, nil
}
