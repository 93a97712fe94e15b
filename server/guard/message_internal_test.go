package guard

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestAlike compares all that the first letters decide with what Unicode says.
func TestAlike(t *testing.T) {
	t.Parallel()
	letters := []string{"", "ſ", "\u212a", "é", "É"}
	for b := range 0x80 {
		letters = append(letters, string(rune(b)))
	}
	for _, a := range letters {
		for _, b := range letters {
			for _, rest := range []string{"", "x"} {
				assert.Equal(t, strings.EqualFold(a+rest, b+rest), alike([]byte(a+rest), []byte(b+rest)), "%q %q", a, b)
			}
		}
	}
}
