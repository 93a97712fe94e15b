package attack

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// TestSeries judges times in milliseconds. One round is longer than textTime.
func TestSeries(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		hostile  []int
		harmless []int
		half     []int
		want     string
	}{
		"a quick answer":         {[]int{199}, []int{3}, nil, "quick"},
		"a slow machine":         {[]int{800}, []int{81}, nil, "quick"},
		"one quick answer":       {[]int{900, 150}, []int{3}, []int{200}, "quick"},
		"linear time":            {[]int{800, 820, 800, 810}, []int{3}, []int{400, 390, 410, 400}, "linear"},
		"quadratic time":         {[]int{800, 820, 800, 810}, []int{3}, []int{200, 200, 210, 200}, "superlinear"},
		"quadratic, one delay":   {[]int{800, 820, 900, 810}, []int{3}, []int{200, 700, 210, 200}, "superlinear"},
		"linear, one quick half": {[]int{829, 900, 850, 880}, []int{66}, []int{450, 430, 296, 440}, ""},
		"too few rounds":         {[]int{800, 820, 800}, []int{3}, []int{400, 390, 410}, "more"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seen := series{
				hostile:  milliseconds(test.hostile),
				harmless: milliseconds(test.harmless),
				half:     milliseconds(test.half),
			}
			assert.Equal(t, test.want, judge(&seen))
		})
	}
}

// judge returns the verdict of a series after textTime.
func judge(seen *series) string {
	switch {
	case seen.isQuick():
		return "quick"
	case seen.wantsMore(textTime):
		return "more"
	case seen.isLinear():
		return "linear"
	case seen.isSuperlinear():
		return "superlinear"
	}
	return ""
}

func milliseconds(numbers []int) []time.Duration {
	var times []time.Duration
	for _, number := range numbers {
		times = append(times, time.Duration(number)*time.Millisecond)
	}
	return times
}
