package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"mcpentra/conformance/check"
)

// Version is the version of the JSON report. It changes when a member changes its meaning or goes
// away. New members do not change it.
const Version = 1

// A Run is what a report says about a run beside its results.
type Run struct {
	// Kind is the kind of target: server, issuer or client.
	Kind string
	// Target is the URL of a server or an authorization server, or the name of a client.
	Target string
	// Program is the version of the program that ran the checks.
	Program string
	// Command is the command line of the run, without secrets. Empty means that there is none.
	Command string
	// Began is when the run began, and Duration how long it took.
	Began    time.Time
	Duration time.Duration
	// Interrupted means that the run ended before its last check.
	Interrupted bool
	// Again returns the command that repeats the check of a result. Nil means none.
	Again func(check.Result) string
	// Change returns the change that mends a broken rule, by the ID of the check. Nil means none.
	Change func(id string) string
	// IsKnown reports whether a baseline lists the verdict of a result. Nil means none.
	IsKnown func(check.Result) bool
}

// A Document is a report of a run. Its JSON form is described by schema.json.
type Document struct {
	// Version is the constant Version.
	Version  int    `json:"version"`
	Program  string `json:"program"`
	Kind     string `json:"kind"`
	Target   string `json:"target"`
	Command  string `json:"command,omitempty"`
	Began    string `json:"began"` // RFC 3339, in UTC
	Duration int64  `json:"duration_ms"`
	// Interrupted means that the run ended before its last check.
	Interrupted bool `json:"interrupted,omitempty"`
	// Secure and Conformant judge all results.
	Secure     Judgement `json:"secure"`
	Conformant Judgement `json:"conformant"`
	Counts     Counts    `json:"counts"`
	// Scores judge the results of each role at each revision.
	Scores []Score `json:"scores"`
	// Results are in the order of the run.
	Results []Result `json:"results"`
}

// Counts are the numbers of results for each verdict.
type Counts struct {
	Pass  int `json:"pass"`
	Fail  int `json:"fail"`
	Warn  int `json:"warn"`
	Note  int `json:"note"`
	Skip  int `json:"skip"`
	Error int `json:"error"`
	// Insecure are the failures where the bad input had an effect.
	Insecure int `json:"insecure"`
	// Known are the failures and errors that the baseline lists.
	Known int `json:"known"`
}

// add counts a result.
func (c *Counts) add(result *Result) {
	counters := map[string]*int{
		check.Pass.String():  &c.Pass,
		check.Fail.String():  &c.Fail,
		check.Warn.String():  &c.Warn,
		check.Note.String():  &c.Note,
		check.Skip.String():  &c.Skip,
		check.Error.String(): &c.Error,
	}
	*counters[result.Verdict]++
	if result.isInsecure() {
		c.Insecure++
	}
	if result.Known {
		c.Known++
	}
}

// A Result is the outcome of one check at one revision.
type Result struct {
	// ID names the check, and Name also the revision if the rule was tried at each.
	ID   string `json:"id"`
	Name string `json:"name"`
	// Role must keep the rule: server, authorization-server or client. Topic is the second segment
	// of the ID.
	Role     string         `json:"role"`
	Topic    string         `json:"topic"`
	Revision check.Revision `json:"revision,omitempty"`
	// Revisions to which the rule applies. Empty means all.
	Revisions []check.Revision `json:"revisions,omitempty"`
	Verdict   string           `json:"verdict"`
	Level     check.Level      `json:"level"`
	// Severity is set for attacks: the damage if one succeeds.
	Severity check.Severity `json:"severity,omitempty"`
	// Risk is the damage of the worst input that had an effect. Empty means that no input had one.
	Risk check.Severity `json:"risk,omitempty"`
	// Known means that the baseline lists the verdict.
	Known     bool     `json:"known,omitempty"`
	Sentence  string   `json:"sentence"`
	Reference string   `json:"reference"`
	Covers    []string `json:"covers,omitempty"`
	// Reason says why a check was skipped or has no verdict.
	Reason string `json:"reason,omitempty"`
	// Mismatches are the inputs that break the rule, the worst first. Omitted is the number of
	// further ones.
	Mismatches []Mismatch `json:"mismatches,omitempty"`
	Omitted    int        `json:"omitted_mismatches,omitempty"`
	// Exchanges are the first and last exchanges, without credentials and bodies. Recorded is the
	// number of all.
	Exchanges []string `json:"exchanges,omitempty"`
	Recorded  int      `json:"exchanges_recorded,omitempty"`
	Duration  int64    `json:"duration_ms"`
	// Change is the change that mends the broken rule. Again is the command that repeats the check.
	Change string `json:"change,omitempty"`
	Again  string `json:"again,omitempty"`

	eachRevision bool
}

// isInsecure reports whether a MUST is broken, and the bad input had an effect.
func (r *Result) isInsecure() bool { return r.Verdict == check.Fail.String() && r.Risk != "" }

// isAttack reports whether the check is an attack whose success breaks a MUST.
func (r *Result) isAttack() bool { return r.Severity != "" && r.Level == check.Must }

// A Mismatch is one input that breaks a rule.
type Mismatch struct {
	Want     string         `json:"want"`
	Got      string         `json:"got"`
	Insecure bool           `json:"insecure,omitempty"`
	Level    check.Level    `json:"level"`
	Severity check.Severity `json:"severity,omitempty"`
	Exchange string         `json:"exchange,omitempty"`
}

// mostMismatches bounds the mismatches of one result in a document.
const mostMismatches = 20

// New makes a document from the results of a run.
func New(run Run, results []check.Result) *Document {
	document := &Document{
		Version:     Version,
		Program:     run.Program,
		Kind:        run.Kind,
		Target:      run.Target,
		Command:     run.Command,
		Began:       run.Began.UTC().Format(time.RFC3339),
		Duration:    run.Duration.Milliseconds(),
		Interrupted: run.Interrupted,
		Results:     make([]Result, 0, len(results)),
	}
	for _, result := range results {
		document.Results = append(document.Results, run.result(result))
	}
	for i := range document.Results {
		document.Counts.add(&document.Results[i])
	}
	document.Secure = judgeSecure(document.Results)
	document.Conformant = judgeConformant(document.Results)
	document.Scores = scores(document.Results)
	if run.Interrupted {
		document.Secure = document.Secure.soFar()
		document.Conformant = document.Conformant.soFar()
		for i := range document.Scores {
			score := &document.Scores[i]
			score.Secure = score.Secure.soFar()
			score.Conformant = score.Conformant.soFar()
		}
	}
	return document
}

// result returns a result as the document has it.
func (r *Run) result(result check.Result) Result {
	rule := result.Rule
	segments := strings.SplitN(rule.ID, "/", 3)
	converted := Result{
		ID:           rule.ID,
		Name:         result.Name(),
		Role:         segments[0],
		Revision:     result.Revision,
		Revisions:    rule.Revisions,
		Verdict:      result.Verdict.String(),
		Level:        rule.Level,
		Severity:     rule.Severity,
		Risk:         result.Severity(),
		Sentence:     rule.Sentence,
		Reference:    rule.Reference,
		Covers:       rule.Covers,
		Recorded:     result.Recorded,
		Duration:     result.Duration.Milliseconds(),
		eachRevision: rule.EachRevision,
	}
	for _, exchange := range result.Exchanges {
		converted.Exchanges = append(converted.Exchanges, shown(exchange))
	}
	if len(segments) > 1 {
		converted.Topic = segments[1]
	}
	mismatches := result.Mismatches()
	if len(mismatches) == 0 && result.Err != nil {
		converted.Reason = shown(oneLine(result.Err))
	}
	for _, mismatch := range mismatches[:min(len(mismatches), mostMismatches)] {
		converted.Mismatches = append(converted.Mismatches, Mismatch{
			Want:     shown(mismatch.Want),
			Got:      shown(mismatch.Got),
			Insecure: mismatch.Insecure,
			Level:    cmp.Or(mismatch.Level, rule.Level),
			Severity: cmp.Or(mismatch.Severity, rule.Severity),
			Exchange: shown(mismatch.Exchange),
		})
	}
	converted.Omitted = len(mismatches) - len(converted.Mismatches)
	if result.Verdict <= check.Pass {
		return converted
	}
	if r.Again != nil {
		converted.Again = r.Again(result)
	}
	if r.Change != nil && len(mismatches) > 0 {
		converted.Change = r.Change(rule.ID)
	}
	converted.Known = r.IsKnown != nil && r.IsKnown(result)
	return converted
}

// maxText bounds a text of a target in a document, in bytes.
const maxText = 16 << 10

// shown returns a text of a target as a document has it.
func shown(text string) string { return strings.TrimRight(bounded(text, maxText), "\r") }

// bounded returns a text in valid UTF-8, and cuts off its end if it is longer than most bytes.
func bounded(text string, most int) string {
	end := min(len(text), most)
	for end < len(text) && end > most-utf8.UTFMax && !utf8.RuneStart(text[end]) {
		end--
	}
	valid := strings.ToValidUTF8(text[:end], "\ufffd")
	if end < len(text) {
		valid += fmt.Sprintf("… (%d more bytes)", len(text)-end)
	}
	return valid
}

// A Score judges the results of one role at one revision.
type Score struct {
	Role       string         `json:"role"`
	Revision   check.Revision `json:"revision"`
	Secure     Judgement      `json:"secure"`
	Conformant Judgement      `json:"conformant"`
	Counts     Counts         `json:"counts"`
}

// scores returns a score for each role at each revision that a check was tried at. A rule that was
// tried at one revision counts at all to which it applies.
func scores(results []Result) []Score {
	all := []Score{}
	for _, role := range rolesOf(results) {
		for _, revision := range check.Revisions() {
			var counted []Result
			tried := false
			for _, result := range results {
				if result.Role != role || !result.countsAt(revision) {
					continue
				}
				counted = append(counted, result)
				tried = tried || result.Revision == revision && result.Verdict != check.Skip.String()
			}
			if !tried {
				continue
			}
			score := Score{
				Role:       role,
				Revision:   revision,
				Secure:     judgeSecure(counted),
				Conformant: judgeConformant(counted),
			}
			for i := range counted {
				score.Counts.add(&counted[i])
			}
			all = append(all, score)
		}
	}
	return all
}

// countsAt reports whether a result says something about a revision.
func (r *Result) countsAt(revision check.Revision) bool {
	if r.eachRevision && r.Revision != "" {
		return r.Revision == revision
	}
	return len(r.Revisions) == 0 || slices.Contains(r.Revisions, revision)
}

// rolesOf returns the roles of results in their order.
func rolesOf(results []Result) []string {
	var roles []string
	for _, result := range results {
		if !slices.Contains(roles, result.Role) {
			roles = append(roles, result.Role)
		}
	}
	return roles
}
