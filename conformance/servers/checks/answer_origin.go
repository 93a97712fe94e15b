package checks

import (
	"context"
	"fmt"
	"net/http"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// answerOriginChecks returns the checks of server/answer about pages of other sites.
func answerOriginChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/answer/foreign-origin",
				Level:     check.Policy,
				Severity:  check.Medium,
				Reference: "WHATWG Fetch, CORS protocol and credentials",
				Sentence:  "No page of a foreign origin can read an answer with the visitor's cookies.",
				Covers:    []string{"RS-085"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    attack.WithTrial(answerForeignOrigin),
		},
	}
}

// answerForeignOrigin sends what a browser sends for a page of another site: a preflight, and a
// request with a good token.
func answerForeignOrigin(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	const page = "https://page.example"
	preflight := bench.Request{
		Method: http.MethodOptions,
		Header: http.Header{
			"Origin":                         {page},
			"Access-Control-Request-Method":  {http.MethodPost},
			"Access-Control-Request-Headers": {"authorization,content-type"},
		},
	}
	request := attack.WithToken(trial.Token, trial.Request())
	request.Header.Set("Origin", page)
	for _, sent := range []bench.Request{preflight, request} {
		answer, err := p.Send(ctx, sent)
		if err != nil {
			return err
		}
		allowed := answer.Header.Get("Access-Control-Allow-Origin")
		if allowed == page && answer.Header.Get("Access-Control-Allow-Credentials") == "true" {
			return p.Mismatch(
				"no Access-Control-Allow-Credentials for "+page,
				fmt.Sprintf("true, in an answer with status %d", answer.Status),
			)
		}
	}
	return nil
}
