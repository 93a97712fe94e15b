package attack_test

import (
	"fmt"
	"net/http"

	"mcpentra/conformance/servers/internal/attack"
)

// A server that believes an address in a token calls the trap.
func ExampleNewTrap() {
	trap, err := attack.NewTrap(`{"keys":[]}`)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer trap.Close()
	response, err := http.Get(trap.URL + "/keys")
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = response.Body.Close()
	fmt.Println(response.Header.Get("Content-Type"))
	// Output: application/json
}
