package pages_test

import (
	"fmt"
	"net/http/httptest"
	"strings"

	"mcpentra/fakeentra/internal/pages"
)

func Example() {
	w := httptest.NewRecorder()
	pages.Show(w, "lookup.html", pages.Lookup("AADSTS50011"))
	fmt.Println(strings.Contains(w.Body.String(), "AADSTS50011"))
	fmt.Println(pages.Lookup("1").Problem)
	// Output:
	// true
	// The fake does not know this error.
}
