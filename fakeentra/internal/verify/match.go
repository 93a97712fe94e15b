package verify

import (
	"net/url"
	"slices"
	"strings"

	"mcpentra/fakeentra/internal/verify/compare"
	"mcpentra/fakeentra/internal/verify/facts"
	"mcpentra/fakeentra/internal/verify/recording"
)

// Match finds the answers in a recording. An exchange answers a request of the list if it has the
// same address and the parameters that decide the answer, and the same AADSTS number or none. Other
// parameters of a program make no difference. Fake holds the answers of the fake.
func Match(
	requests []facts.Request,
	fake map[string]Answer,
	exchanges []recording.Exchange,
) map[string]Answer {
	answers := map[string]Answer{}
	used := make([]bool, len(exchanges))
	for _, fits := range []func(ours, theirs *recording.Exchange) bool{isSameRequest, isSimilarRequest} {
		for _, request := range requests {
			ours := fake[request.Name].Exchange
			if ours == nil || answers[request.Name].Exchange != nil {
				continue
			}
			for i := range exchanges {
				if !used[i] && fits(ours, &exchanges[i]) && compare.Number(ours) == compare.Number(&exchanges[i]) {
					used[i] = true
					answers[request.Name] = Answer{Exchange: &exchanges[i]}
					break
				}
			}
		}
	}
	return answers
}

// isSameRequest reports whether two requests are the same after masking.
func isSameRequest(ours, theirs *recording.Exchange) bool {
	isSameHeader := ours.RequestHeader["Origin"] == theirs.RequestHeader["Origin"] &&
		ours.RequestHeader["Authorization"] == theirs.RequestHeader["Authorization"]
	return ours.Method == theirs.Method && ours.URL == theirs.URL && isSameHeader &&
		slices.Equal(ours.Form, theirs.Form)
}

// decisive are the parameters whose values decide the answer to a correct request.
var decisive = []string{"grant_type", "scope", "response_type", "requested_token_use", "resource", "prompt"}

// isSimilarRequest reports whether a request of a program asks the same as one of the list. Its
// other parameters may differ. Errors depend on these, so only successes can be similar.
func isSimilarRequest(ours, theirs *recording.Exchange) bool {
	isSuccess := ours.Status < 300 && theirs.Status < 300
	if ours.Method != theirs.Method || !isSuccess || ours.Page != nil {
		return false
	}
	path, query, _ := strings.Cut(ours.URL, "?")
	otherPath, otherQuery, _ := strings.Cut(theirs.URL, "?")
	params := parameters(query, ours.Form)
	others := parameters(otherQuery, theirs.Form)
	if params.Get("grant_type") == "client_credentials" { // MSAL adds scopes that have no effect
		others.Set("scope", withoutOIDC(others.Get("scope")))
	}
	for _, name := range decisive {
		if params.Get(name) != others.Get(name) {
			return false
		}
	}
	return strings.EqualFold(path, otherPath)
}

// withoutOIDC removes the scopes of OpenID Connect.
func withoutOIDC(scope string) string {
	names := slices.DeleteFunc(strings.Fields(scope), func(name string) bool {
		return slices.Contains([]string{"openid", "profile", "email", "offline_access"}, name)
	})
	return strings.Join(names, " ")
}

func parameters(query string, form []recording.Field) url.Values {
	params := url.Values{}
	for part := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(part, "=")
		params.Set(name, value)
	}
	for _, field := range form {
		params.Set(field.Name, field.Value)
	}
	return params
}

// HeaderOf describes an authority in a recording. An authority of a tenant on Microsoft's hosts has
// no name there.
func HeaderOf(authority string) recording.Header {
	if !isMicrosoft(authority) {
		return recording.Header{Authority: authority}
	}
	return recording.Header{Cloud: string(cloudOf(authority))}
}

// AuthorityOf returns the authority that HeaderOf describes.
func AuthorityOf(header recording.Header) string {
	if header.Authority != "" {
		return header.Authority
	}
	for host, cloud := range hosts {
		if string(cloud) == header.Cloud {
			return "https://" + host
		}
	}
	return "https://login.microsoftonline.com"
}

// Target names an authority in a report. It names no host of the reader.
func Target(authority string) string {
	if isMicrosoft(authority) {
		return strings.TrimPrefix(authority, "https://")
	}
	return "another authority"
}
