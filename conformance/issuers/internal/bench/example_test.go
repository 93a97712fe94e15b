package bench_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"mcpentra/conformance/check"
	"mcpentra/conformance/issuers/internal/bench"
)

// A check is a literal. This one asks for metadata, and is tried against a server without any.
func Example() {
	published := bench.Check{
		Rule: check.Rule{
			ID:        "authorization-server/metadata/any",
			Level:     check.Must,
			Reference: "our own rules, section 4",
			Sentence:  "There is metadata.",
		},
		Run: func(ctx context.Context, p *bench.Probe) error {
			locations, err := p.Locations(ctx)
			if err != nil {
				return err
			}
			if locations[0].Metadata == nil {
				return p.Mismatch("metadata", locations[0].Answer.String())
			}
			return nil
		},
	}
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	target := bench.Target{URL: server.URL}
	result := bench.Run(context.Background(), published, target)
	fmt.Println(result.Verdict, result.Name()+":", result.Err)

	target.URL = "http://127.0.0.1:1" // nothing listens there
	fmt.Println(bench.Run(context.Background(), published, target).Verdict)
	// Output:
	// fail authorization-server/metadata/any: want metadata, got status 404
	// error
}
