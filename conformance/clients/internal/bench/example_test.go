package bench_test

import (
	"context"
	"fmt"

	"mcpentra/conformance/check"
	"mcpentra/conformance/clients/internal/bench"
)

// A check that wants a client to end without an error.
func Example() {
	ends := bench.Check{
		Rule: check.Rule{ID: "client/task/ends", Level: check.Should},
		Run: func(ctx context.Context, p *bench.Probe) error {
			if err := p.Target.Run(ctx, bench.Task{}); err != nil {
				return &check.Mismatch{Want: "no error", Got: err.Error()}
			}
			return nil
		},
	}
	target := bench.Target{
		Run: func(context.Context, bench.Task) error { return fmt.Errorf("no route") },
	}
	result := bench.Run(context.Background(), ends, target)[0]
	fmt.Println(result.Verdict, result.Err)
	// Output: warn want no error, got no route
}
