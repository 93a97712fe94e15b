package differences

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// A Call is the part of a request that selects a difference.
type Call struct {
	Path  string
	Query url.Values
	Form  url.Values
	// Origin is the header Origin.
	Origin string
}

// An Answer is an answer that a difference can change.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// A difference changes the answers that it selects.
type difference struct {
	name    string
	selects func(call Call, answer *Answer) bool
	change  func(answer *Answer)
}

// Names returns the names of all differences.
func Names() []string {
	var names []string
	for _, one := range all {
		names = append(names, one.name)
	}
	return names
}

// Known reports whether a difference exists.
func Known(name string) bool { return slices.Contains(Names(), name) }

// Apply changes an answer in the differences with these names.
func Apply(names []string, call Call, answer *Answer) {
	for _, one := range all {
		if slices.Contains(names, one.name) && one.selects(call, answer) {
			one.change(answer)
		}
	}
}

// at selects the answers to a path.
func at(path string) func(Call, *Answer) bool {
	return func(call Call, _ *Answer) bool {
		return strings.HasSuffix(call.Path, path) && call.Origin == "" && !call.Query.Has("appid")
	}
}

// atTenant selects the answers to the path of a tenant that is given by its ID.
func atTenant(path string) func(Call, *Answer) bool {
	return func(call Call, answer *Answer) bool {
		tenant, _, _ := strings.Cut(strings.TrimPrefix(call.Path, "/"), "/")
		return len(tenant) == len("5a1e0001-0000-4000-8000-000000000001") && at(tenant+path)(call, answer)
	}
}

// refused selects the answers to a path with an error.
func refused(path, number string) func(Call, *Answer) bool {
	return func(call Call, answer *Answer) bool {
		return strings.HasSuffix(call.Path, path) && call.Origin == "" &&
			strings.Contains(string(answer.Body), "AADSTS"+number+":")
	}
}

// granted selects the tokens of a grant.
func granted(grant, scope string) func(Call, *Answer) bool {
	return func(call Call, answer *Answer) bool {
		isGrant := strings.HasSuffix(call.Form.Get("grant_type"), grant)
		isToken := strings.HasSuffix(call.Path, "/oauth2/v2.0/token") && answer.Status < http.StatusMultipleChoices
		return isGrant && isToken && strings.HasPrefix(call.Form.Get("scope"), scope)
	}
}

// isRefusedSecret selects the error about an unknown client that sends a secret.
func isRefusedSecret(call Call, answer *Answer) bool {
	return refused("/oauth2/v2.0/token", "700016")(call, answer) && call.Form.Get("client_secret") != ""
}

// isRefusedTenant selects the error about an unknown tenant that is given by its ID.
func isRefusedTenant(call Call, answer *Answer) bool {
	return atTenant("/oauth2/v2.0/token")(call, answer) && refused("/token", "90002")(call, answer)
}

// isTenantDocument selects the discovery document of a tenant.
func isTenantDocument(call Call, answer *Answer) bool {
	return atTenant("/v2.0/.well-known/openid-configuration")(call, answer) && answer.Status == http.StatusOK
}
