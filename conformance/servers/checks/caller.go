package checks

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// callerChecks are checks of server/caller: who a server takes its caller for, and from where it
// can be called at all.
func callerChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:           "server/caller/from-token",
				Level:        check.Must,
				Severity:     check.Critical,
				Revisions:    []check.Revision{check.R20251125, check.R20260728},
				EachRevision: true,
				Reference:    "MCP client features, Elicitation, Identifying the User",
				Sentence:     "Who the user is comes from the token: not from arguments, from _meta or from headers.",
				Covers:       []string{"server-user-from-token", "RS-011"},
			},
			Tokens: []bench.TokenKind{bench.Good, bench.OtherUser},
			Needs:  []bench.Need{bench.WhoamiTool},
			Run:    fromToken,
		},
		{
			Rule: check.Rule{
				ID:        "server/caller/from-this-machine",
				Level:     check.Should,
				Severity:  check.High,
				Reference: "MCP transports, Security Warning",
				Sentence:  "A server for this machine only is reached through loopback addresses only.",
				Covers:    []string{"server-bind-localhost"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.LocalOnly},
			Run:    fromThisMachine,
		},
	}
}

// whoami is who the server takes a caller for, or empty where the tool does not say.
func whoami(
	ctx context.Context,
	p *bench.Probe,
	session *bench.Session,
	token string,
	change func(params map[string]any, header http.Header),
) (string, error) {
	params := map[string]any{"name": p.Whoami().Tool, "arguments": map[string]any{}}
	header := http.Header{}
	if change != nil {
		change(params, header)
	}
	meta, _ := params["_meta"].(map[string]any)
	request := as(token, session.Message("tools/call", params))
	maps.Copy(request.Header, header)
	if p.Revision == check.R20260728 && meta != nil {
		// The revision has a _meta of its own, which these come on top of.
		var message map[string]any
		_ = json.Unmarshal(request.Body, &message)
		maps.Copy(message["params"].(map[string]any)["_meta"].(map[string]any), meta)
		request.Body = []byte(attack.Quoted(message))
	}
	answer, err := p.Send(ctx, request)
	if err != nil {
		return "", err
	}
	if _, done := toolText(answer); !done {
		return "", nil
	}
	var message struct {
		Result json.RawMessage `json:"result"`
	}
	_ = json.Unmarshal(answer.Body, &message)
	return p.Whoami().Caller(message.Result), nil
}

func fromToken(ctx context.Context, p *bench.Probe) error {
	token, err := p.Token(ctx, bench.Good)
	if err != nil {
		return err
	}
	session, err := p.Open(ctx, token)
	if err != nil {
		return err
	}
	mine, err := whoami(ctx, p, session, token, nil)
	if err != nil {
		return err
	}
	other, err := p.Token(ctx, bench.OtherUser)
	if err != nil {
		return err
	}
	others, err := p.Open(ctx, other)
	if err != nil {
		return &check.CannotJudge{Reason: "the other user's token does not work in a session of its own", Err: err}
	}
	theirs, err := whoami(ctx, p, others, other, nil)
	if err != nil {
		return err
	}
	if mine == "" || theirs == "" || mine == theirs {
		return &check.CannotJudge{
			Reason: fmt.Sprintf("the control failed: the tool calls two users %q and %q", mine, theirs),
		}
	}
	pretended := map[string]any{}
	for _, name := range []string{
		"user",
		"userId",
		"user_id",
		"sub",
		"oid",
		"object_id",
		"email",
		"username",
		"preferred_username",
		"upn",
		"principal",
		"caller",
	} {
		pretended[name] = theirs
	}
	headers := []string{
		"X-User",
		"X-User-Id",
		"X-Forwarded-User",
		"X-Ms-Client-Principal-Id",
		"X-Ms-Client-Principal-Name",
		"Remote-User",
		"X-Auth-Request-User",
	}
	forgeries := map[string]func(map[string]any, http.Header){
		"arguments": func(params map[string]any, _ http.Header) { params["arguments"] = pretended },
		"_meta":     func(params map[string]any, _ http.Header) { params["_meta"] = maps.Clone(pretended) },
		"headers": func(_ map[string]any, header http.Header) {
			for _, name := range headers {
				header.Set(name, theirs)
			}
		},
	}
	for _, place := range slices.Sorted(maps.Keys(forgeries)) {
		got, err := whoami(ctx, p, session, token, forgeries[place])
		if err != nil {
			return err
		}
		if got != "" && got != mine {
			return p.Insecure("the user of the token, whatever the "+place+" say", "another user")
		}
	}
	return nil
}

func fromThisMachine(ctx context.Context, p *bench.Probe) error {
	if _, err := p.Control(ctx); err != nil {
		return err
	}
	endpoint, err := url.Parse(p.URL())
	if err != nil {
		return &check.CannotJudge{Reason: "the endpoint's URL", Err: err}
	}
	for _, address := range p.Local() {
		elsewhere := *endpoint
		elsewhere.Host = withPort(address, endpoint.Port())
		first := p.Message("ping", nil)
		first.URL = elsewhere.String()
		answer, err := p.Send(ctx, first)
		if ctx.Err() != nil {
			return err
		}
		if err == nil {
			return p.Mismatch("nobody who listens on "+address, fmt.Sprintf("an answer with status %d", answer.Status))
		}
	}
	return nil
}

func withPort(address, port string) string {
	if port == "" {
		return address
	}
	return net.JoinHostPort(address, port)
}
