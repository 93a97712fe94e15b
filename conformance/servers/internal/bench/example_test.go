package bench_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/bench"
)

// A check is a literal. This one asks for a header, and is tried against a server that does not
// send it.
func Example() {
	nosniff := bench.Check{
		Rule: check.Rule{
			ID:        "server/headers/nosniff",
			Level:     check.Should,
			Reference: "our own rules, section 3",
			Sentence:  "Answers forbid browsers to guess the media type.",
		},
		Run: func(ctx context.Context, p *bench.Probe) error {
			answer, err := p.Send(ctx, bench.Request{})
			if err != nil {
				return err
			}
			if got := answer.Header.Get("X-Content-Type-Options"); got != "nosniff" {
				return p.Mismatch("X-Content-Type-Options: nosniff", fmt.Sprintf("%q", got))
			}
			return nil
		},
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
	}))
	defer server.Close()
	target := bench.Target{URL: server.URL + "/mcp"}
	result := bench.Run(context.Background(), nosniff, target)[0]
	fmt.Println(result.Verdict, result.Name()+":", result.Err)

	// http.Error forbids it by itself.
	server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "a token, please", http.StatusUnauthorized)
	})
	fmt.Println(bench.Run(context.Background(), nosniff, target)[0].Verdict)

	target.URL = "http://127.0.0.1:1/mcp" // nothing listens there
	fmt.Println(bench.Run(context.Background(), nosniff, target)[0].Verdict)
	// Output:
	// warn server/headers/nosniff: want X-Content-Type-Options: nosniff, got ""
	// pass
	// error
}
