package inputs_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"mcpentra/conformance/check"
	"mcpentra/conformance/internal/inputs"
)

func ExampleTryAll() {
	err := inputs.TryAll([]int{401, 200, 500}, func(status int) error {
		if status == 401 {
			return nil
		}
		return &check.Mismatch{Want: "401", Got: fmt.Sprint(status), Insecure: status == 200}
	})
	fmt.Println(err, len(err.(*check.Mismatch).Others))
	// Output: want 401, got 200 1
}

func TestTryAllEndsAtOtherErrors(t *testing.T) {
	t.Parallel()
	gone := &check.CannotJudge{Reason: "the server is gone", Err: &check.Mismatch{Got: "the control"}}
	wrong := &check.Mismatch{Got: "wrong"}
	for _, test := range []struct {
		name   string
		inputs []error
		want   error
		tried  int
	}{
		{"no error", []error{nil, nil}, nil, 2},
		{"an error before a mismatch", []error{nil, gone, wrong}, gone, 2},
		{"an error after a mismatch", []error{wrong, gone, wrong}, wrong, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			tried := 0
			err := inputs.TryAll(test.inputs, func(err error) error {
				tried++
				return err
			})
			assert.Equal(t, test.want, err)
			assert.Equal(t, test.tried, tried)
		})
	}
}
