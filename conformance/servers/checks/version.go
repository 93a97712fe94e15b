package checks

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/bench"
)

// versionChecks are checks of server/version.
func versionChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:           "server/version/unsupported",
				Level:        check.Must,
				Revisions:    withMetadata,
				EachRevision: true,
				Reference:    "MCP 2025-06-18 transports, Protocol Version Header",
				Sentence: "A request whose MCP-Protocol-Version names no revision that the server speaks is " +
					"refused with 400.",
				Covers: []string{"server-version-header-400"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    versionUnsupported,
		},
		{
			Rule: check.Rule{
				ID:           "server/version/absent",
				Level:        check.Should,
				Revisions:    []check.Revision{check.R20250618, check.R20251125},
				EachRevision: true,
				Reference:    "MCP 2025-06-18 transports, Protocol Version Header",
				Sentence:     "A request without MCP-Protocol-Version is taken for one of 2025-03-26, and not refused.",
				Covers:       []string{"server-version-header-absent"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    versionAbsent,
		},
	}
}

// versionUnsupported tries server/version/unsupported.
func versionUnsupported(ctx context.Context, p *bench.Probe) error {
	trial, err := p.Trial(ctx)
	if err != nil {
		return err
	}
	for _, unknown := range []string{"1900-01-01", "2999-01-01"} {
		request := trial.Session.Message("tools/list", nil)
		request.Header.Set("Authorization", "Bearer "+trial.Token)
		request.Header.Set("Mcp-Protocol-Version", unknown)
		request.Body = []byte(strings.ReplaceAll(string(request.Body), string(p.Revision), unknown))
		answer, err := p.Send(ctx, request)
		if err != nil {
			return err
		}
		if answer.Status != http.StatusBadRequest {
			return p.Mismatch("status 400 to "+unknown, fmt.Sprintf("status %d", answer.Status))
		}
		// An old revision looks like one of those that have no such error.
		if code := errorCode(answer); p.Revision == check.R20260728 && unknown > string(p.Revision) &&
			code != codeUnsupported {
			return p.Mismatch(
				fmt.Sprintf("the error %d to %s", codeUnsupported, unknown),
				fmt.Sprintf("the error %d", code),
			)
		}
	}
	return nil
}

// versionAbsent tries server/version/absent.
func versionAbsent(ctx context.Context, p *bench.Probe) error {
	trial, err := p.Trial(ctx)
	if err != nil {
		return err
	}
	request := trial.Session.Message("tools/list", nil)
	request.Header.Set("Authorization", "Bearer "+trial.Token)
	request.Header["Mcp-Protocol-Version"] = nil
	answer, err := p.Send(ctx, request)
	if err == nil && answer.Status != http.StatusOK {
		return p.Mismatch("status 200", fmt.Sprintf("status %d", answer.Status))
	}
	return err
}

// Errors of MCP 2026-07-28.
const (
	codeHeaderMismatch = -32020
	codeUnsupported    = -32022
	codeNoMethod       = -32601
)

// errorCode is the code of a JSON-RPC error, or 0.
func errorCode(answer *bench.Answer) int {
	var message struct {
		Error struct {
			Code int `json:"code"`
		} `json:"error"`
	}
	_ = json.Unmarshal(answer.Body, &message) // what is no error has no code
	return message.Error.Code
}
