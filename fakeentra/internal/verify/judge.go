package verify

import (
	"mcpentra/fakeentra/internal/verify/compare"
	"mcpentra/fakeentra/internal/verify/facts"
)

// Judge compares the answers of the fake and of the tenant, one fact at a time.
func Judge(all []facts.Fact, fake, tenant map[string]Answer) []compare.Result {
	results := make([]compare.Result, len(all))
	for i, fact := range all {
		ours := fake[fact.Request]
		theirs := tenant[fact.Request]
		switch {
		case theirs.Exchange == nil:
			results[i] = notJudged(fact, theirs.Reason)
		case ours.Exchange == nil:
			results[i] = notJudged(fact, "the fake has no answer: "+ours.Reason)
		default:
			results[i] = compare.Judge(fact, ours.Exchange, theirs.Exchange)
		}
	}
	return results
}

func notJudged(fact facts.Fact, reason string) compare.Result {
	if reason == "" {
		reason = "the recording has no answer to this request"
	}
	return compare.Result{Fact: fact, Verdict: compare.NotJudged, Reason: reason}
}
