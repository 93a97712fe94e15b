package inputs

import (
	"errors"
	"slices"

	"mcpentra/conformance/check"
)

// TryAll tries each input. It returns nil if none breaks the rule, or one mismatch that holds the
// others. Any other error ends it. That error counts only if no input has broken the rule before.
func TryAll[T any](all []T, try func(T) error) error {
	var mismatches []*check.Mismatch
	for _, input := range all {
		err := try(input)
		var cannot *check.CannotJudge
		var mismatch *check.Mismatch
		switch {
		case err == nil:
		case !errors.As(err, &cannot) && errors.As(err, &mismatch):
			mismatches = append(mismatches, mismatch)
		case len(mismatches) > 0:
			return join(mismatches)
		default:
			return err
		}
	}
	return join(mismatches)
}

// join returns the first mismatch with an effect, or the first. The rest goes into its Others.
func join(mismatches []*check.Mismatch) error {
	if len(mismatches) == 0 {
		return nil
	}
	at := slices.IndexFunc(mismatches, func(m *check.Mismatch) bool { return m.Insecure })
	at = max(0, at)
	first := *mismatches[at]
	for _, other := range slices.Delete(slices.Clone(mismatches), at, at+1) {
		alone := *other
		alone.Others = nil
		first.Others = append(append(first.Others, &alone), other.Others...)
	}
	return &first
}
