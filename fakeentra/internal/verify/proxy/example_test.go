package proxy_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"mcpentra/fakeentra/internal/verify/proxy"
)

func ExampleProxy_ServeHTTP() {
	p, err := proxy.New(proxy.Config{Origins: []string{"https://login.microsoftonline.com"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	answer := httptest.NewRecorder()
	p.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "http://internal.example/", nil))
	fmt.Println(answer.Code, answer.Body)
	// Output:
	// 403 fakeentra record passes on requests to https://login.microsoftonline.com; add internal.example to NO_PROXY
}
