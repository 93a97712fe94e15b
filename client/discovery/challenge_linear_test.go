package discovery_test

import (
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestParseChallengesAllocatesLinearly doubles hostile headers. It counts allocated bytes, because
// time depends on the machine. It is not parallel, because other tests allocate, too. Capital
// letters make the parser copy each word that it reads.
func TestParseChallengesAllocatesLinearly(t *testing.T) {
	prefixes := []struct{ name, text string }{
		{"alone", ""},
		{"in a challenge", "Bearer "},
		{"in a quoted string", `Bearer realm="`},
	}
	for _, c := range []struct{ name, unit, end string }{
		{"blanks", " ", `"`},
		{"separators", ", \t", `"`},
		{"challenges", "Basic, ", `"`},
		{"parameters", "a=b, ", `"`},
		{"open quotes", `Bearer a="`, `"`},
		{"backslashes", `\\`, `"`},
		{"schemes without a comma", "Bearer ", `"`},
		{"schemes of one letter", "A ", `"`},
		{"equals signs", "=", `"`},
		{"token68", "Basic aaaa==, ", `"`},
		{"long token", "a", `"`},
		{"long token in capitals", "A", `"`},
		{"token68 with a wrong end", "A", "==========?"},
		{"long name before a parameter", "a", " b=c"},
	} {
		for _, prefix := range prefixes {
			allocated := func(size int) float64 {
				repeats := (size - len(prefix.text)) / len(c.unit)
				return bytesAllocated(prefix.text + strings.Repeat(c.unit, repeats) + c.end)
			}
			at4 := allocated(4 << 10)
			at8 := allocated(8 << 10)
			at16 := allocated(16 << 10)
			assert.LessOrEqual(t, at8, 2.5*at4+1024, "%s, %s: from 4 to 8 KiB", c.name, prefix.name)
			assert.LessOrEqual(t, at16, 2.5*at8+1024, "%s, %s: from 8 to 16 KiB", c.name, prefix.name)
			assert.Less(t, allocated(1<<20), 2.5*at16+2048, "%s, %s: beyond the bound", c.name, prefix.name)
		}
	}
}

// bytesAllocated returns the bytes that the parser allocates for a header, on average.
func bytesAllocated(line string) float64 {
	const rounds = 50
	var before runtime.MemStats
	var after runtime.MemStats
	_, _ = parseLines(line) // the first call allocates more
	runtime.ReadMemStats(&before)
	for range rounds {
		_, _ = parseLines(line)
	}
	runtime.ReadMemStats(&after)
	return float64(after.TotalAlloc-before.TotalAlloc) / rounds
}
