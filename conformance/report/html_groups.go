package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"mcpentra/conformance/check"
)

// A pageRole holds the checks of one role, by topic.
type pageRole struct {
	Role   string
	Anchor anchor
	Topics []*pageTopic
	Checks int
}

// A pageTopic holds the checks of one topic.
type pageTopic struct {
	Name   string
	Anchor anchor
	Rules  []*pageRule
	Tally  []tally
	// Open means that a rule is broken or could not be judged.
	Open bool
}

// A pageRule is a rule with the outcomes of its check.
type pageRule struct {
	*Result // the worst
	Anchor  anchor
	// Outcomes differ from each other in more than the revision.
	Outcomes []*pageOutcome
	// Each are the verdicts by revision. It is empty if all are alike.
	Each []pageTry
	// At says at which revisions the check was tried.
	At string
}

// A pageOutcome is what a check found, at one revision or at several.
type pageOutcome struct {
	*Result // at the first revision
	Tries   []pageTry
}

// A pageTry is a try of a check at one revision.
type pageTry struct {
	*Result
	Anchor anchor
	// At are the revisions that the result counts for. Empty means all.
	At string
	// Repeats is the command of this try, if the outcome shows another one.
	Repeats string
}

// Shown says how many of the exchanges the page has.
func (t *pageTry) Shown() string {
	if kept := len(t.Exchanges); kept < t.Recorded {
		return fmt.Sprintf("%d of %s", kept, counted(t.Recorded, "exchange"))
	}
	return counted(len(t.Exchanges), "exchange")
}

// Took is the duration of the try.
func (t *pageTry) Took() string { return took(t.Result.Duration) }

// IsSecurity reports whether the result says something about an attack.
func (t *pageTry) IsSecurity() bool { return t.Severity != "" || t.Risk != "" }

// IsInsecure reports whether the bad input had an effect.
func (t *pageTry) IsInsecure() bool { return t.isInsecure() }

// pageRoles groups results by role, topic and rule.
func pageRoles(results []Result) []*pageRole {
	var roles []*pageRole
	names := anchors{}
	byRole := map[string]*pageRole{}
	byTopic := map[[2]string]*pageTopic{}
	byRule := map[[3]string]*pageRule{}
	for i := range results {
		result := &results[i]
		role := byRole[result.Role]
		if role == nil {
			role = &pageRole{Role: result.Role, Anchor: names.unused(result.Role)}
			byRole[result.Role] = role
			roles = append(roles, role)
		}
		topicKey := [2]string{result.Role, result.Topic}
		topic := byTopic[topicKey]
		if topic == nil {
			topic = &pageTopic{Name: result.Topic, Anchor: names.unused(result.Role + "/" + result.Topic)}
			byTopic[topicKey] = topic
			role.Topics = append(role.Topics, topic)
		}
		ruleKey := [3]string{result.Role, result.Topic, result.ID}
		rule := byRule[ruleKey]
		if rule == nil {
			rule = &pageRule{Result: result, Anchor: names.unused(result.ID)}
			byRule[ruleKey] = rule
			topic.Rules = append(topic.Rules, rule)
			role.Checks++
		}
		rule.add(result, names)
	}
	for _, role := range roles {
		for _, topic := range role.Topics {
			topic.finish()
		}
	}
	return roles
}

// add adds a result to its outcome.
func (r *pageRule) add(result *Result, names anchors) {
	if byWeight(result, r.Result) < 0 {
		r.Result = result
	}
	one := pageTry{Result: result, At: countedAt(result)}
	name := result.ID
	if result.Revision != "" {
		name += "@" + string(result.Revision)
	}
	one.Anchor = names.unused(name)
	for _, outcome := range r.Outcomes {
		if outcome.isLike(result) {
			if result.Again != outcome.Again {
				one.Repeats = result.Again
			}
			outcome.Tries = append(outcome.Tries, one)
			return
		}
	}
	r.Outcomes = append(r.Outcomes, &pageOutcome{Result: result, Tries: []pageTry{one}})
}

// countedAt returns the revisions that a result says something about.
func countedAt(result *Result) string {
	if result.Revision != "" && result.Name != result.ID {
		return string(result.Revision)
	}
	var all []string
	for _, revision := range result.Revisions {
		all = append(all, string(revision))
	}
	return strings.Join(all, " ")
}

// isLike reports whether a result differs from the outcome in the revision only.
func (o *pageOutcome) isLike(result *Result) bool {
	sameVerdict := o.Verdict == result.Verdict && o.Known == result.Known && o.Risk == result.Risk
	if !sameVerdict || o.Reason != result.Reason || o.Change != result.Change || o.Omitted != result.Omitted {
		return false
	}
	return slices.EqualFunc(o.Mismatches, result.Mismatches, func(a, b Mismatch) bool {
		a.Exchange = ""
		b.Exchange = ""
		return a == b
	})
}

// finish sorts the outcomes, and counts the rules by their worst verdict.
func (t *pageTopic) finish() {
	counts := map[string]int{}
	for _, rule := range t.Rules {
		slices.SortStableFunc(rule.Outcomes, func(a, b *pageOutcome) int { return byWeight(a.Result, b.Result) })
		var tries []pageTry
		for _, outcome := range rule.Outcomes {
			tries = append(tries, outcome.Tries...)
		}
		slices.SortStableFunc(tries, func(a, b pageTry) int { return cmp.Compare(a.Revision, b.Revision) })
		rule.At = revisionsOf(tries)
		if len(rule.Outcomes) > 1 {
			rule.Each = tries
		}
		counts[rule.Verdict]++
	}
	for _, verdict := range worstFirst {
		if counts[verdict] > 0 {
			t.Tally = append(t.Tally, tally{Verdict: verdict, Count: counts[verdict]})
		}
	}
	t.Open = counts[check.Pass.String()]+counts[check.Skip.String()] < len(t.Rules)
}

// revisionsOf names the revisions of tries.
func revisionsOf(tries []pageTry) string {
	var revisions []string
	for _, one := range tries {
		if one.Revision != "" {
			revisions = append(revisions, string(one.Revision))
		}
	}
	revisions = slices.Compact(revisions)
	if len(revisions) > 2 {
		return fmt.Sprintf("%d revisions", len(revisions))
	}
	return strings.Join(revisions, ", ")
}

// A remarkGroup is a list of remarks about several checks.
type remarkGroup struct {
	ID      string
	Title   string
	Remarks []*remark
	// Folded means that the list is shown only at request.
	Folded bool
}

// Reasons says how many remarks there are.
func (g remarkGroup) Reasons() string { return counted(len(g.Remarks), "reason") }

// A remark is a text that several results have in common.
type remark struct {
	*Result // the worst
	Text    string
	Links   []anchor // of checks
	More    int      // further checks
}

// mostLinks bounds the links of one remark.
const mostLinks = 8

// remarkGroups returns what to change, what was not judged, and what was not tried.
func remarkGroups(results []Result) []remarkGroup {
	change := func(r *Result) string { return r.Change }
	reasonOf := func(verdict check.Verdict) func(*Result) string {
		return func(r *Result) string {
			if r.Verdict != verdict.String() {
				return ""
			}
			return cmp.Or(r.Reason, "no reason is known")
		}
	}
	all := []remarkGroup{
		{ID: "changes", Title: "Changes to make", Remarks: remarks(results, change)},
		{ID: "not-judged", Title: "Not judged", Remarks: remarks(results, reasonOf(check.Error))},
		{ID: "not-tried", Title: "Not tried", Remarks: remarks(results, reasonOf(check.Skip)), Folded: true},
	}
	return slices.DeleteFunc(all, func(group remarkGroup) bool { return len(group.Remarks) == 0 })
}

// remarks groups results by a text, the worst first. Results without a text are left out.
func remarks(results []Result, text func(*Result) string) []*remark {
	var all []*remark
	byText := map[string]*remark{}
	seen := map[[2]string]bool{}
	for i := range results {
		result := &results[i]
		about := text(result)
		if about == "" {
			continue
		}
		found := byText[about]
		if found == nil {
			found = &remark{Result: result, Text: about}
			byText[about] = found
			all = append(all, found)
		}
		if byWeight(result, found.Result) < 0 {
			found.Result = result
		}
		switch key := [2]string{about, result.ID}; {
		case seen[key]:
		case len(found.Links) < mostLinks:
			seen[key] = true
			found.Links = append(found.Links, anchorOf(result.ID))
		default:
			seen[key] = true
			found.More++
		}
	}
	slices.SortStableFunc(all, func(a, b *remark) int {
		return cmp.Or(byWeight(a.Result, b.Result), cmp.Compare(len(b.Links)+b.More, len(a.Links)+a.More))
	})
	return all
}
