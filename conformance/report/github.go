package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"

	"mcpentra/conformance/check"
)

// GitHub shows this many annotations of each kind for a step.
const mostAnnotations = 10

// mostAnnotated bounds the text of one annotation, in bytes.
const mostAnnotated = 4 << 10

// A finding is what several results of one rule have in common: the same verdict and details.
type finding struct {
	*Result
	revisions []string
}

// title is the ID of the check, with its revisions.
func (f *finding) title() string {
	if len(f.revisions) == 0 {
		return f.Name
	}
	return f.ID + " (" + strings.Join(f.revisions, ", ") + ")"
}

// findings returns the results that are not skipped or a pass, the worst first. Results that differ
// in the revision only are one finding.
func (d *Document) findings() []*finding {
	var all []*finding
	same := map[string]*finding{}
	for i := range d.Results {
		result := &d.Results[i]
		if !result.isBroken() && result.Verdict != check.Error.String() {
			continue
		}
		key := strings.Join([]string{result.ID, result.Verdict, result.headline()}, "\n")
		if same[key] == nil {
			same[key] = &finding{Result: result}
			all = append(all, same[key])
		}
		if result.Name != result.ID {
			same[key].revisions = append(same[key].revisions, string(result.Revision))
		}
	}
	slices.SortStableFunc(all, func(a, b *finding) int { return cmp.Compare(b.weight(), a.weight()) })
	return all
}

// weight orders findings. A greater weight is worse. Those that the baseline lists come last.
func (f *finding) weight() int {
	verdicts := []string{
		check.Note.String(), check.Warn.String(), check.Error.String(), check.Fail.String(),
	}
	risks := []check.Severity{"", check.Low, check.Medium, check.High, check.Critical}
	weight := 10*slices.Index(verdicts, f.Verdict) + slices.Index(risks, f.Risk)
	if f.Known {
		return weight - 100
	}
	return weight
}

// WriteAnnotations writes the findings as workflow commands, from which GitHub makes annotations. A
// failure is an error, a broken SHOULD a warning, and a broken policy a notice. A check without a
// verdict is an error if its rule is a MUST. Findings that the baseline lists are left out. GitHub
// shows ten of each kind, so the tenth names all that follow.
func WriteAnnotations(out io.Writer, document *Document) error {
	kinds := []string{"error", "warning", "notice"}
	byKind := map[string][]*finding{}
	for _, found := range document.findings() {
		if !found.Known {
			byKind[found.annotation()] = append(byKind[found.annotation()], found)
		}
	}
	var text strings.Builder
	for _, kind := range kinds {
		rest := byKind[kind]
		if len(rest) > mostAnnotations {
			rest = rest[:mostAnnotations-1]
		}
		for _, found := range rest {
			annotate(&text, kind, found.Verdict+" "+found.title(), found.details())
		}
		rest = byKind[kind][len(rest):]
		if len(rest) == 0 {
			continue
		}
		var names []string
		for _, found := range rest {
			names = append(names, found.title())
		}
		annotate(&text, kind, fmt.Sprintf("%d more", len(rest)), strings.Join(names, "\n"))
	}
	_, err := io.WriteString(out, text.String())
	return err
}

// annotation returns the kind of annotation for a finding.
func (f *finding) annotation() string {
	switch {
	case f.Verdict == check.Fail.String(), f.Verdict == check.Error.String() && f.Level == check.Must:
		return "error"
	case f.Verdict == check.Note.String():
		return "notice"
	}
	return "warning"
}

// annotate writes one workflow command. Its text cannot end the command or begin another one.
func annotate(out *strings.Builder, kind, title, text string) {
	text = printable(bounded(text, mostAnnotated))
	data := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
	fmt.Fprintf(out, "::%s title=%s::%s\n", kind, property.Replace(printable(title)), data.Replace(text))
}

// printable replaces characters that move the cursor, change colours or reorder text.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) {
			return unicode.ReplacementChar
		}
		return r
	}, strings.ToValidUTF8(text, "\ufffd"))
}
