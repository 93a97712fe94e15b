package discovery_test

import (
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"mcpentra/client/discovery"
)

// TestChallengesAreReadInLinearSpace doubles hostile headers and finds that what is allocated no
// more than doubles. It is not parallel, since it counts what the program allocates.
func TestChallengesAreReadInLinearSpace(t *testing.T) {
	const rounds = 50
	for name, unit := range map[string]string{
		"separators":               ", \t",
		"challenges":               "Basic, ",
		"parameters":               "a=b, ",
		"quotes that do not end":   `Bearer a="`,
		"backslashes":              `\\`,
		"schemes without a comma":  "Bearer ",
		"equals signs":             "=",
		"token68, again and again": "Basic aaaa==, ",
		"one long token":           "a",
	} {
		for prefix, begin := range map[string]string{"alone": "", "in a challenge": "Bearer ", "in a quote": `Bearer realm="`} {
			allocated := func(size int) float64 {
				header := http.Header{
					"Www-Authenticate": {begin + strings.Repeat(unit, (size-len(begin))/len(unit)) + `"`},
				}
				var before, after runtime.MemStats
				_, _ = discovery.ParseChallenges(header) // what is made once
				runtime.ReadMemStats(&before)
				for range rounds {
					_, _ = discovery.ParseChallenges(header)
				}
				runtime.ReadMemStats(&after)
				return float64(after.TotalAlloc-before.TotalAlloc) / rounds
			}
			small := allocated(4 << 10)
			large := allocated(8 << 10)
			assert.LessOrEqual(
				t,
				large,
				2.5*small+1024,
				"%s, %s: %.0f bytes for 4 KiB, %.0f for 8 KiB",
				name,
				prefix,
				small,
				large,
			)
			assert.LessOrEqual(t, allocated(16<<10), 2.5*large+1024, "%s, %s", name, prefix)
			assert.Less(
				t,
				allocated(1<<20),
				2.5*allocated(16<<10)+2048,
				"%s, %s: beyond the cap nothing is read",
				name,
				prefix,
			)
		}
	}
}
