package useragent_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"mcpentra/fakeentra/useragent"
)

// A person who approves whatever a page asks.
func Example() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		if r.Method == http.MethodGet {
			fmt.Fprint(w, `<form method="post"><button name="answer" value="approve">Approve</button>`+
				`<button name="answer" value="deny">Deny</button></form>`)
			return
		}
		fmt.Fprintf(w, "<title>Done</title>You chose to %s.", r.FormValue("answer"))
	}))
	defer server.Close()
	var person useragent.Browser
	page, err := person.Visit(context.Background(), server.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(page.Status, page.Title, "-", page.Text)
	// Output: 200 Done - You chose to approve.
}
