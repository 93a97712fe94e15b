package inputs

import (
	"cmp"
	"errors"

	"mcpentra/conformance/check"
)

// Graded gives a mismatch and its others another level and severity. Empty ones change nothing, and
// neither do errors of other types.
func Graded(err error, level check.Level, severity check.Severity) error {
	var mismatch *check.Mismatch
	if !errors.As(err, &mismatch) {
		return err
	}
	for _, each := range append([]*check.Mismatch{mismatch}, mismatch.Others...) {
		each.Level = cmp.Or(level, each.Level)
		each.Severity = cmp.Or(severity, each.Severity)
	}
	return err
}
