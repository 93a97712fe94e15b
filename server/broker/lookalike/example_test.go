package lookalike_test

import (
	"fmt"
	"log"

	"mcpentra/server/broker/lookalike"
)

func Example() {
	table, err := lookalike.Load()
	if err != nil {
		log.Fatal(err)
	}
	like := table.Client("CIaude (official)", "collect.example", false)
	fmt.Println(like.Name, like.Hosts[0])
	fmt.Println(table.Client("Claude", "claude.ai", false) == nil)
	// Output:
	// Claude claude.ai
	// true
}
