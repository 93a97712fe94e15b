package checks

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// callerChecks returns the checks of server/caller: how a server identifies its caller, and from
// where it can be called.
func callerChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:           "server/caller/from-token",
				Level:        check.Must,
				Severity:     check.Critical,
				Revisions:    since(check.R20251125),
				EachRevision: true,
				Reference:    "MCP client features, Elicitation, Identifying the User",
				Sentence: "The server takes the user's identity from the token, and not from arguments, " +
					"_meta or headers.",
				Covers: []string{"server-user-from-token", "RS-011"},
			},
			Tokens: []bench.TokenKind{bench.Good, bench.OtherUser},
			Needs:  []bench.Need{bench.WhoamiTool},
			Run:    callerFromToken,
		},
		{
			Rule: check.Rule{
				ID:        "server/caller/from-this-machine",
				Level:     check.Should,
				Severity:  check.High,
				Reference: "MCP transports, Security Warning",
				Sentence:  "A server meant for its own machine listens on loopback addresses only.",
				Covers:    []string{"server-bind-localhost"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Needs:  []bench.Need{bench.LocalOnly},
			Run:    callerFromThisMachine,
		},
	}
}

// callerFromToken calls the tool with one user's token and another user's name in different places.
func callerFromToken(ctx context.Context, p *bench.Probe) error {
	session, err := p.OpenAs(ctx, bench.Good)
	if err != nil {
		return err
	}
	mine, theirs, err := twoNames(ctx, p, session)
	if err != nil {
		return err
	}
	for _, forgery := range []struct {
		place  string
		change func(params map[string]any, header http.Header)
	}{
		{"arguments", func(params map[string]any, _ http.Header) { params["arguments"] = asUser(theirs) }},
		{"_meta", func(params map[string]any, _ http.Header) { params["_meta"] = asUser(theirs) }},
		{"headers", func(_ map[string]any, header http.Header) { maps.Copy(header, asUserHeaders(theirs)) }},
	} {
		name, err := callWhoami(ctx, p, session, forgery.change)
		if err != nil {
			return err
		}
		if name != "" && name != mine {
			return p.Insecure("the user of the token, whatever the "+forgery.place+" say", "another user")
		}
	}
	return nil
}

// twoNames returns the names that the tool gives the session's user and another user.
func twoNames(ctx context.Context, p *bench.Probe, session *bench.Session) (mine, theirs string, err error) {
	unchanged := func(map[string]any, http.Header) {}
	mine, err = callWhoami(ctx, p, session, unchanged)
	if err != nil {
		return "", "", err
	}
	other, err := p.OpenAs(ctx, bench.OtherUser)
	if err != nil {
		return "", "", err
	}
	theirs, err = callWhoami(ctx, p, other, unchanged)
	if err != nil {
		return "", "", err
	}
	if mine == "" || theirs == "" || mine == theirs {
		return "", "", &check.CannotJudge{
			Reason: fmt.Sprintf("the control failed: the tool calls two users %q and %q", mine, theirs),
		}
	}
	return mine, theirs, nil
}

// asUser returns members in which a server could look for a user's name.
func asUser(name string) map[string]any {
	members := map[string]any{}
	for _, member := range []string{
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
		members[member] = name
	}
	return members
}

// asUserHeaders returns headers in which a server could look for a user's name.
func asUserHeaders(name string) http.Header {
	header := http.Header{}
	for _, field := range []string{
		"X-User",
		"X-User-Id",
		"X-Forwarded-User",
		"X-Ms-Client-Principal-Id",
		"X-Ms-Client-Principal-Name",
		"Remote-User",
		"X-Auth-Request-User",
	} {
		header.Set(field, name)
	}
	return header
}

// callWhoami returns the name that the server gives its caller, or "" if the tool does not say.
// Change edits the parameters and adds headers.
func callWhoami(
	ctx context.Context,
	p *bench.Probe,
	session *bench.Session,
	change func(params map[string]any, header http.Header),
) (string, error) {
	params := map[string]any{"name": p.Whoami().Tool, "arguments": map[string]any{}}
	header := http.Header{}
	change(params, header)
	meta, _ := params["_meta"].(map[string]any)
	request := attack.WithToken(session.Token, session.Message("tools/call", params))
	maps.Copy(request.Header, header)
	if p.Revision == check.R20260728 && meta != nil {
		// The revision has a _meta of its own; these members are added to it.
		var message map[string]any
		_ = json.Unmarshal(request.Body, &message)
		maps.Copy(message["params"].(map[string]any)["_meta"].(map[string]any), meta)
		request.Body = []byte(attack.JSON(message))
	}
	answer, err := p.Send(ctx, request)
	if err != nil {
		return "", err
	}
	if _, succeeded := attack.ToolText(answer); !succeeded {
		return "", nil
	}
	var message struct {
		Result json.RawMessage `json:"result"`
	}
	_ = json.Unmarshal(answer.Body, &message)
	return p.Whoami().Caller(message.Result), nil
}

// callerFromThisMachine tries to reach the server at the machine's addresses in networks.
func callerFromThisMachine(ctx context.Context, p *bench.Probe) error {
	if _, err := p.Control(ctx); err != nil {
		return err
	}
	endpoint, err := url.Parse(p.URL())
	if err != nil {
		return &check.CannotJudge{Reason: "the endpoint's URL is malformed", Err: err}
	}
	for _, address := range p.Local() {
		elsewhere := *endpoint
		elsewhere.Host = attack.WithPort(address, endpoint.Port())
		ping := p.Message("ping", nil)
		ping.URL = elsewhere.String()
		answer, err := p.Send(ctx, ping)
		if ctx.Err() != nil {
			return err
		}
		if err == nil {
			return p.Mismatch("no listener on "+address, fmt.Sprintf("an answer with status %d", answer.Status))
		}
	}
	return nil
}
