package acceptance_test

import (
	"context"
	"fmt"
	"time"

	"mcpentra/server/store"
)

// Example shows a world: a code is redeemed once.
func Example() {
	w := newWorld(exampleTest{}, options{store: func(now func() time.Time) store.Store {
		return store.NewMemory(store.Config{Now: now})
	}})
	program := w.register(0, metadata())
	code := w.browser().codeFor(program.ClientID, loopback, "user.read", 1)
	for range 2 {
		got := w.token(0, redemption(program.ClientID, loopback, code))
		fmt.Println(got.status, got.Access != "")
	}
	// Output:
	// 200 true
	// 400 false
}

type exampleTest struct{}

func (exampleTest) Errorf(format string, values ...any) { fmt.Printf(format, values...) }
func (exampleTest) FailNow()                            { panic("the example fails") }
func (exampleTest) Context() context.Context            { return context.Background() }
