package jsonrpc

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestEqualFold compares the shortcut by first letters with Unicode's folding.
func TestEqualFold(t *testing.T) {
	t.Parallel()
	letters := []string{"", "ſ", "\u212a", "é", "É"}
	for b := range 0x80 {
		letters = append(letters, string(rune(b)))
	}
	for _, a := range letters {
		for _, b := range letters {
			for _, rest := range []string{"", "x"} {
				want := strings.EqualFold(a+rest, b+rest)
				assert.Equal(t, want, equalFold([]byte(a+rest), []byte(b+rest)), "%q %q", a, b)
			}
		}
	}
}
