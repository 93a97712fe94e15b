package loopback_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"mcpentra/conformance/loopback"
)

func ExampleDial() {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	client := http.Client{Transport: &http.Transport{DialContext: loopback.Dial}}
	defer client.CloseIdleConnections()
	response, err := client.Get(server.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = response.Body.Close()
	fmt.Println(response.StatusCode)
	// Output: 404
}
