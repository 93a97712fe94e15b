package inputs_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"

	"mcpentra/conformance/check"
	"mcpentra/conformance/internal/inputs"
)

func TestGradedGradesOthersToo(t *testing.T) {
	t.Parallel()
	err := inputs.Graded(
		&check.Mismatch{Level: check.Must, Others: []*check.Mismatch{{Severity: check.High}}},
		check.Policy,
		"",
	)
	want := &check.Mismatch{
		Level:  check.Policy,
		Others: []*check.Mismatch{{Level: check.Policy, Severity: check.High}},
	}
	assert.Equal(t, want, err)
	other := errors.New("no mismatch")
	assert.Equal(t, other, inputs.Graded(other, check.Policy, check.Low))
	assert.NoError(t, inputs.Graded(nil, check.Policy, check.Low))
}
