package report

import (
	"fmt"

	"mcpentra/conformance/check"
)

// Answer is yes, no or unknown.
type Answer string

// The answers.
const (
	Yes     Answer = "yes"
	No      Answer = "no"
	Unknown Answer = "unknown"
)

// A Judgement answers one question about a target.
type Judgement struct {
	Answer Answer `json:"answer"`
	// Reason is a short sentence with the figures behind the answer.
	Reason string `json:"reason"`
}

// judgeSecure answers whether a target is secure: no bad input that a MUST forbids had an effect.
// The answer is unknown if no attack was tried, or one could not be judged.
func judgeSecure(results []Result) Judgement {
	var tried, succeeded, unjudged, skipped int
	for _, result := range results {
		switch {
		case result.isInsecure():
			succeeded++
		case !result.isAttack():
			continue
		case result.Verdict == check.Error.String():
			unjudged++
		case result.Verdict == check.Skip.String():
			skipped++
			continue
		}
		tried++
	}
	rest := ""
	if skipped > 0 {
		rest = fmt.Sprintf("; %d not tried", skipped)
	}
	switch {
	case succeeded > 0:
		return Judgement{No, fmt.Sprintf("%d of %s had an effect%s", succeeded, counted(tried, "attack"), rest)}
	case unjudged > 0:
		reason := fmt.Sprintf("%d of %s could not be judged%s", unjudged, counted(tried, "attack"), rest)
		return Judgement{Unknown, reason}
	case tried == 0:
		return Judgement{Unknown, "no attack was tried"}
	}
	return Judgement{Yes, fmt.Sprintf("none of %s had an effect%s", counted(tried, "attack"), rest)}
}

// judgeConformant answers whether a target conforms: it breaks no MUST. The answer is unknown if no
// MUST was tried, or one could not be judged.
func judgeConformant(results []Result) Judgement {
	var tried, broken, unjudged int
	for _, result := range results {
		switch {
		case result.Verdict == check.Fail.String():
			broken++
		case result.Level != check.Must || result.Verdict == check.Skip.String():
			continue
		case result.Verdict == check.Error.String():
			unjudged++
		}
		tried++
	}
	switch {
	case broken > 0:
		return Judgement{No, fmt.Sprintf("%d of %s broken", broken, counted(tried, "MUST"))}
	case unjudged > 0:
		return Judgement{Unknown, fmt.Sprintf("%d of %s could not be judged", unjudged, counted(tried, "MUST"))}
	case tried == 0:
		return Judgement{Unknown, "no MUST was tried"}
	}
	return Judgement{Yes, "none of " + counted(tried, "MUST") + " broken"}
}

// soFar returns a judgement of a run that ended before its last check. A check that was not run
// could have found something.
func (j Judgement) soFar() Judgement {
	if j.Answer != Yes {
		return j
	}
	return Judgement{Unknown, j.Reason + ", but the run was interrupted"}
}

// counted returns a number with its noun.
func counted(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}
