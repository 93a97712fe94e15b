package bench_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"mcpentra/conformance/servers/internal/bench"
)

func TestStatusesListsFiveAtMost(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		want []int
		text string
	}{
		{[]int{401}, "status 401"},
		{[]int{401, 400}, "one of the statuses [400 401]"},
		{[]int{405, 404, 403, 402, 401, 400}, "one of the statuses [400 401 402 403 404] and others"},
		{bench.AnyRefusal(), "a status 4xx"},
		{append([]int{405, 501}, bench.AnyRefusal()...), "a status 4xx, or one of [501]"},
		{append([]int{200, 204}, bench.AnyRefusal()...), "a status 4xx, or one of [200 204]"},
	} {
		assert.Equal(t, test.text, bench.Statuses(test.want))
	}
}
