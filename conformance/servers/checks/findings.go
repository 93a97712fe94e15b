package checks

import (
	"context"
	"errors"

	"mcpentra/conformance/check"
	"mcpentra/conformance/internal/inputs"
)

// maxFindings bounds the inputs that one check of many inputs reports.
const maxFindings = 4

// tryFew is inputs.TryAll that ends after a few findings.
func tryFew[T any](ctx context.Context, all []T, try func(T) error) error {
	found := 0
	return inputs.TryAll(all, func(input T) error {
		if found >= maxFindings {
			return ctx.Err()
		}
		err := try(input)
		if mismatch := (*check.Mismatch)(nil); errors.As(err, &mismatch) {
			found++
		}
		return err
	})
}
