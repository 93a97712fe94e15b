package compare

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"mcpentra/fakeentra/internal/verify/facts"
	"mcpentra/fakeentra/internal/verify/recording"
)

// A Verdict is the result for a fact.
type Verdict string

// The verdicts.
const (
	Same      Verdict = "same"
	Drift     Verdict = "drift"
	NotJudged Verdict = "not judged"
)

// A Result is a fact with its verdict.
type Result struct {
	facts.Fact
	Verdict Verdict
	// Reason says why a fact was not judged.
	Reason string
	// Fake and Tenant are the two sides of a drift, masked.
	Fake   string
	Tenant string
}

// Judge compares the answers of the fake and of the tenant in the aspect of a fact.
func Judge(fact facts.Fact, fake, tenant *recording.Exchange) Result {
	result := Result{Fact: fact, Verdict: NotJudged}
	result.Reason = incomparable(fact, fake, tenant)
	if result.Reason != "" {
		return result
	}
	ours, reason := extract(fact.Aspect, fake)
	if reason != "" {
		result.Reason = "the fake's answer has no " + reason
		return result
	}
	theirs, reason := extract(fact.Aspect, tenant)
	if reason != "" {
		result.Reason = "the tenant's answer has no " + reason
		return result
	}
	shared := 0
	var left, right []pair
	for _, one := range ours {
		other, found := find(theirs, one.key)
		if !found {
			continue // the aspect members shows it
		}
		shared++
		if one.value != other.value {
			left = append(left, one)
			right = append(right, other)
		}
	}
	switch {
	case shared == 0:
		result.Reason = "the two answers have nothing in common here"
	case len(left) == 0:
		result.Verdict = Same
	default:
		result.Verdict = Drift
		result.Fake = join(left)
		result.Tenant = join(right)
	}
	return result
}

// settingsErrors are the errors of an app registration or a tenant that lacks the settings of
// fakeentra verify --setup. They say nothing about the rule that a request tries.
var settingsErrors = []int{
	50011,   // another redirect URI
	50105,   // the person is not assigned to the app
	50194,   // another audience
	65001,   // no consent
	90094,   // consent of an administrator is needed
	500011,  // another identifier URI
	500113,  // no redirect URI
	500131,  // an assertion for another audience
	650052,  // no service principal of the API
	650053,  // another scope
	650057,  // another list of permissions
	700025,  // a public client
	7000218, // a confidential client
	7000229, // no service principal
}

// incomparable says why a fact cannot be judged from two answers. It is empty if it can.
func incomparable(fact facts.Fact, fake, tenant *recording.Exchange) string {
	ours := Number(fake)
	theirs := Number(tenant)
	isError := ours != 0 && theirs != 0
	isOfSettings := slices.Contains(settingsErrors, theirs) && ours != theirs
	switch {
	case ours == 0 && theirs != 0 && fake.Status < 400, isOfSettings:
		return fmt.Sprintf("the tenant refuses with AADSTS%d; "+
			"fakeentra verify --setup shows the settings it needs", theirs)
	case isError && ours != theirs && (fact.Aspect == "text" || fact.Aspect == "value error"):
		return fmt.Sprintf("the tenant answers with another error, AADSTS%d", theirs)
	}
	name := tokenOf(fact.Aspect)
	if name == "" {
		return ""
	}
	version := tenant.Tokens[name].Claims.Member("ver")
	wanted := fake.Tokens[name].Claims.Member("ver")
	if version != nil && wanted != nil && version.Text != wanted.Text {
		return fmt.Sprintf("the tenant's token has version %s, and the fake's %s; "+
			"fakeentra verify --setup shows the settings it needs", version.Text, wanted.Text)
	}
	return ""
}

// tokenOf returns the token whose version decides an aspect, or nothing. The member resource of an
// old answer is among the values, and is the audience of the access token.
func tokenOf(aspect string) string {
	for _, prefix := range []string{"claims ", "claim ", "token header "} {
		if rest, found := strings.CutPrefix(aspect, prefix); found {
			name, _, _ := strings.Cut(rest, " ")
			return name
		}
	}
	if aspect == "values" {
		return "access_token"
	}
	return ""
}

// Value returns the masked value of an aspect of an answer. It reports false if the answer has
// none.
func Value(aspect string, answer *recording.Exchange) (string, bool) {
	found, reason := extract(aspect, answer)
	return join(found), reason == ""
}

// Number returns the AADSTS number of an answer, or 0.
func Number(answer *recording.Exchange) int {
	text, found := sentence(answer)
	if !found {
		return 0
	}
	digits, _, _ := strings.Cut(strings.TrimPrefix(text, "AADSTS"), ":")
	number, err := strconv.Atoi(digits)
	if err != nil {
		return 0
	}
	return number
}
