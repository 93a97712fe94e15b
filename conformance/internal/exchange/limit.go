package exchange

import "time"

// mostStretch bounds how much longer a limit gets, as a factor.
const mostStretch = 60

// Stretch makes a time limit longer for a slow server: in proportion to the time that its first
// answer may take, compared with the usual time for one. The limit grows up to 60 times, and never
// gets shorter.
func Stretch(limit, firstAnswer, usual time.Duration) time.Duration {
	factor := float64(firstAnswer) / float64(usual)
	return time.Duration(float64(limit) * min(mostStretch, max(1, factor)))
}
