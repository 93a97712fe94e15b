package printable_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"mcpentra/client/internal/printable"
)

func ExampleText() {
	fmt.Println(printable.Text("denied\x1b[2J\nby \u202epolicy"))
	// Output: denied?[2J?by ?policy
}

func TestTextIsBounded(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "x"+strings.Repeat("é", 249)+"…", printable.Text("x"+strings.Repeat("é", 1000)))
	whole := strings.Repeat("é", 250)
	assert.Equal(t, whole, printable.Text(whole))
}
