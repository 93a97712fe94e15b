package evidence_test

import (
	"context"
	"fmt"

	"mcpentra/conformance/internal/evidence"
)

func Example() {
	ctx, collection := evidence.Collect(context.Background())
	evidence.Record(ctx, func() string { return "GET http://localhost/mcp\n→ 401 Unauthorized\n" })
	exchanges, count := collection.Exchanges()
	fmt.Print(count, "\n", exchanges[0])
	// Output:
	// 1
	// GET http://localhost/mcp
	// → 401 Unauthorized
}
