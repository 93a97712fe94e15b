package lab_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"mcpentra/conformance/clients/internal/bench"
	"mcpentra/conformance/clients/internal/lab"
)

// A client that gives up at the 401, and its record.
func Example() {
	givesUp := bench.Target{Run: func(ctx context.Context, task bench.Task) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, task.URL, nil)
		if err != nil {
			return err
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		return errors.New("not allowed")
	}}
	l := lab.New(lab.Script{})
	defer l.Close()
	l.Run(context.Background(), &bench.Probe{Target: givesUp})
	for _, request := range l.Record() {
		fmt.Println(request.Party, request.Method, request.Path, request.Status)
	}
	fmt.Println("called:", l.Called(), "err:", l.Err())
	// Output:
	// server POST /mcp 401
	// called: false err: not allowed
}
