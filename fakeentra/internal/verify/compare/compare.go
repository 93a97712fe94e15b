package compare

import (
	"fmt"
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

// incomparable says why a fact cannot be judged from two answers. It is empty if it can.
func incomparable(fact facts.Fact, fake, tenant *recording.Exchange) string {
	ours := Number(fake)
	theirs := Number(tenant)
	isError := ours != 0 && theirs != 0
	switch {
	case ours == 0 && theirs != 0 && fake.Status < 400:
		return fmt.Sprintf("the tenant refuses with AADSTS%d; "+
			"fakeentra verify --setup shows the settings it needs", theirs)
	case isError && ours != theirs && (fact.Aspect == "text" || fact.Aspect == "value error"):
		return fmt.Sprintf("the tenant answers with another error, AADSTS%d", theirs)
	}
	name, isClaims := strings.CutPrefix(fact.Aspect, "claims ")
	if !isClaims {
		name, isClaims = strings.CutPrefix(fact.Aspect, "token header ")
	}
	if !isClaims {
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
