//go:build !unix

package fakeentra_test

import (
	"testing"
	"time"
)

// cpu skips the benchmark: the ratios need the process's own processor time.
func cpu(b *testing.B) time.Duration {
	b.Skip("needs getrusage")
	return 0
}
