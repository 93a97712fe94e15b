package checks

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// versionChecks returns the checks of server/version.
func versionChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:           "server/version/unsupported",
				Level:        check.Must,
				Revisions:    since(check.R20250618),
				EachRevision: true,
				Reference:    "MCP 2025-06-18 transports, Protocol Version Header",
				Sentence: "A request with an MCP-Protocol-Version that the server does not speak is refused " +
					"with 400.",
				Covers: []string{"server-version-header-400"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    attack.WithTrial(versionUnsupported),
		},
		{
			Rule: check.Rule{
				ID:           "server/version/absent",
				Level:        check.Should,
				Revisions:    []check.Revision{check.R20250618, check.R20251125},
				EachRevision: true,
				Reference:    "MCP 2025-06-18 transports, Protocol Version Header",
				Sentence: "A request without MCP-Protocol-Version is treated as one of 2025-03-26, and not " +
					"refused.",
				Covers: []string{"server-version-header-absent"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    attack.WithTrial(versionAbsent),
		},
	}
}

// versionUnsupported sends revisions that do not exist. A server may take an old one for a revision
// that had no error for this case.
func versionUnsupported(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	for _, unknown := range []string{"1900-01-01", "2999-01-01"} {
		request := attack.WithToken(trial.Token, trial.Session.Message("tools/list", nil))
		request.Header.Set("Mcp-Protocol-Version", unknown)
		request.Body = []byte(strings.ReplaceAll(string(request.Body), string(p.Revision), unknown))
		answer, err := p.Send(ctx, request)
		if err != nil {
			return err
		}
		if answer.Status != http.StatusBadRequest {
			return p.Mismatch("status 400 to "+unknown, fmt.Sprintf("status %d", answer.Status))
		}
		code := attack.ErrorCode(answer)
		needsCode := p.Revision == check.R20260728 && unknown > string(p.Revision)
		if needsCode && code != attack.CodeUnsupportedVersion {
			return p.Mismatch(
				fmt.Sprintf("the error %d to %s", attack.CodeUnsupportedVersion, unknown),
				fmt.Sprintf("the error %d", code),
			)
		}
	}
	return nil
}

// versionAbsent tries server/version/absent.
func versionAbsent(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	request := attack.WithToken(trial.Token, trial.Session.Message("tools/list", nil))
	request.Header["Mcp-Protocol-Version"] = nil
	answer, err := p.Send(ctx, request)
	if err == nil && answer.Status != http.StatusOK {
		return p.Mismatch("status 200", fmt.Sprintf("status %d", answer.Status))
	}
	return err
}
