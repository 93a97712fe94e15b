package report

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"mcpentra/conformance/check"
)

// Bounds of a page, in bytes.
const (
	mostEvidence = 4 << 20 // all exchanges, and all mismatches besides the first of each result
	longestName  = 300     // of the target and the program
	longestText  = 2 << 10 // of a sentence, a reason, or a value wanted or got
	longestProof = 8 << 10 // of an exchange
)

// shownDocument returns a copy of a document whose texts are bounded and visible. It reports
// whether evidence is left out.
func shownDocument(document *Document) (shown *Document, trimmed bool) {
	copied := *document
	copied.Target = visible(document.Target, longestName)
	copied.Program = visible(document.Program, longestName)
	copied.Command = visible(document.Command, longestText)
	copied.Began = visible(document.Began, longestText)
	copied.Secure = document.Secure.shown()
	copied.Conformant = document.Conformant.shown()
	copied.Scores = slices.Clone(document.Scores)
	for i := range copied.Scores {
		score := &copied.Scores[i]
		score.Role = visible(score.Role, longestText)
		score.Revision = check.Revision(visible(string(score.Revision), longestText))
		score.Secure = score.Secure.shown()
		score.Conformant = score.Conformant.shown()
	}
	copied.Results = slices.Clone(document.Results)
	var order []*Result
	for i := range copied.Results {
		copied.Results[i].makeVisible()
		order = append(order, &copied.Results[i])
	}
	slices.SortStableFunc(order, byWeight)
	left := mostEvidence
	for _, result := range order {
		if !result.keepEvidence(&left) {
			trimmed = true
		}
	}
	return &copied, trimmed
}

func (j Judgement) shown() Judgement {
	return Judgement{Answer: Answer(visible(string(j.Answer), longestText)), Reason: visible(j.Reason, longestText)}
}

// makeVisible makes all texts of a result visible, except for its evidence.
func (r *Result) makeVisible() {
	for _, text := range []*string{
		&r.ID, &r.Name, &r.Role, &r.Topic, &r.Verdict, &r.Sentence, &r.Reference, &r.Reason, &r.Change, &r.Again,
	} {
		*text = visible(*text, longestText)
	}
	r.Revision = check.Revision(visible(string(r.Revision), longestText))
	r.Level = check.Level(visible(string(r.Level), longestText))
	r.Severity = check.Severity(visible(string(r.Severity), longestText))
	r.Risk = check.Severity(visible(string(r.Risk), longestText))
	r.Covers = slices.Clone(r.Covers)
	for i, id := range r.Covers {
		r.Covers[i] = visible(id, longestText)
	}
}

// keepEvidence keeps the first mismatch of a result, and as much of its other evidence as the bytes
// that are left allow. It reports whether it has kept all.
func (r *Result) keepEvidence(left *int) bool {
	mismatches := r.Mismatches
	r.Mismatches = nil
	for i, mismatch := range mismatches {
		mismatch.Want = visible(mismatch.Want, longestText)
		mismatch.Got = visible(mismatch.Got, longestText)
		mismatch.Exchange = visible(mismatch.Exchange, longestProof)
		mismatch.Level = check.Level(visible(string(mismatch.Level), longestText))
		mismatch.Severity = check.Severity(visible(string(mismatch.Severity), longestText))
		size := len(mismatch.Want) + len(mismatch.Got) + len(mismatch.Exchange)
		if i > 0 && size > *left {
			r.Omitted += len(mismatches) - i
			break
		}
		*left -= size
		r.Mismatches = append(r.Mismatches, mismatch)
	}
	exchanges := r.Exchanges
	r.Recorded = max(r.Recorded, len(exchanges))
	r.Exchanges = nil
	for _, exchange := range exchanges {
		exchange = strings.TrimRight(visible(exchange, longestProof), "\n")
		if len(exchange) > *left {
			break
		}
		*left -= len(exchange)
		r.Exchanges = append(r.Exchanges, exchange)
	}
	return len(r.Mismatches) == len(mismatches) && len(r.Exchanges) == len(exchanges)
}

// visible returns a text of at most so many bytes, and says how many it cuts off. Characters that
// nothing shows, or that change the order of others, become their code point: [U+202E]. Line ends
// and tabs stay.
func visible(text string, most int) string {
	var out strings.Builder
	for i, r := range text { // bytes that are not UTF-8 become U+FFFD
		if out.Len() > most {
			fmt.Fprintf(&out, "… [%d bytes more]", len(text)-i)
			break
		}
		switch {
		case r == '\n', r == '\t', r == ' ':
			out.WriteRune(r)
		case isHidden(r):
			fmt.Fprintf(&out, "[U+%04X]", r)
		default:
			out.WriteRune(r)
		}
	}
	return out.String()
}

// isHidden reports whether a character has no picture of its own.
func isHidden(r rune) bool {
	isNoncharacter := r&0xfffe == 0xfffe || r >= 0xfdd0 && r <= 0xfdef
	return isNoncharacter || !unicode.IsGraphic(r) || unicode.Is(unicode.Z, r)
}
