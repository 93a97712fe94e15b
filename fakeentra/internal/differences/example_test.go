package differences_test

import (
	"fmt"

	"mcpentra/fakeentra/internal/differences"
)

func ExampleNames() {
	fmt.Println(len(differences.Names()), differences.Known("device-code: types"))
	// Output: 20 true
}
