package portal_test

import (
	"fmt"
	"io"
	"strings"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/portal"
)

// A fake with pages for people.
func Example() {
	fake := fakeentra.NewServer(fakeentra.Config{Portal: portal.Handler})
	defer fake.Close()
	answer, err := fake.Client().Get(fake.URL + "/")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer answer.Body.Close()
	page, err := io.ReadAll(answer.Body)
	fmt.Println(strings.Contains(string(page), "Adele Vance"), err)
	// Output: true <nil>
}
