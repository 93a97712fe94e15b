package inproc_test

import (
	"fmt"
	"io"
	"net/http"

	"mcpentra/fakeentra/internal/inproc"
)

func Example() {
	hello := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "hello from "+r.Host)
	})
	request, err := http.NewRequest(http.MethodGet, "https://login.microsoftonline.com/", nil)
	if err != nil {
		panic(err)
	}
	response, err := inproc.RoundTrip(hello, request)
	if err != nil {
		panic(err)
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	fmt.Println(response.StatusCode, string(body))
	// Output: 200 hello from login.microsoftonline.com
}
