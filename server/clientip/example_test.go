package clientip_test

import (
	"fmt"
	"net/http"

	"mcpentra/server/clientip"
)

func Example() {
	proxies, err := clientip.ParseProxies([]string{"10.0.0.0/8"})
	if err != nil {
		panic(err)
	}
	r := &http.Request{
		RemoteAddr: "10.0.0.1:51234",
		Header:     http.Header{"X-Forwarded-For": {"203.0.113.9 (made up), 198.51.100.1"}},
	}
	address := proxies.Address(r)
	fmt.Println(address, "of", clientip.Network(address))
	// Output: 198.51.100.1 of 198.51.100.0/24
}
