package checks

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/bench"
)

// listChecks are checks of server/list: what lists of tools, prompts and resources depend on, and
// what they are no defence for (MCP 2026-07-28, Tools and Caching).
func listChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/list/by-connection",
				Level:     check.Must,
				Revisions: []check.Revision{check.R20260728},
				Reference: "MCP 2026-07-28 server features, Tools, Capabilities",
				Sentence:  "The same token has the same lists on every connection, whatever went over it before.",
				Covers:    []string{"server-list-not-per-connection"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    sameOnEachConnection,
		},
		{
			Rule: check.Rule{
				ID:        "server/list/cache-scope",
				Level:     check.Should,
				Severity:  check.High,
				Revisions: []check.Revision{check.R20260728},
				Reference: "MCP 2026-07-28 server utilities, Caching, Security Considerations",
				Sentence:  "A list that depends on its caller is not marked as one that all may share.",
				Covers:    []string{"server-cache-scope-private"},
			},
			Tokens: []bench.TokenKind{bench.Good, bench.OtherUser},
			Run:    listCacheScope,
		},
		{
			Rule: check.Rule{
				ID:         "server/list/hidden-tools",
				Level:      check.Must,
				Severity:   check.Critical,
				Revisions:  []check.Revision{check.R20260728},
				Disruptive: true,
				Reference:  "MCP 2026-07-28 server utilities, Caching, Security Considerations",
				Sentence:   "A tool that a user's list does not have is not run for that user.",
				Covers:     []string{"server-cache-not-access-control"},
			},
			Tokens: []bench.TokenKind{bench.Good, bench.OtherUser},
			Run:    hiddenTools,
		},
	}
}

// listCacheScope tries server/list/cache-scope.
func listCacheScope(ctx context.Context, p *bench.Probe) error {
	lists, err := listsOf(ctx, p)
	if err != nil {
		return err
	}
	for method, one := range lists {
		if !slices.Equal(one.mine.names, one.others.names) &&
			(one.mine.scope == "public" || one.others.scope == "public") {
			return p.Insecure("cacheScope private for a list of "+method+" that differs between users", "public")
		}
	}
	return nil
}

// A listed is a list as its caller has it: the names in it, and who may keep it (cacheScope).
type listed struct {
	names []string
	scope string
}

// listing are the methods that list, and where in their results the lists stand.
var listing = map[string]string{"tools/list": "tools", "prompts/list": "prompts", "resources/list": "resources"}

// read is a list as a token has it, or nil where there is none.
func readList(ctx context.Context, p *bench.Probe, method, token string) (*listed, error) {
	answer, err := p.Send(ctx, as(token, p.Message(method, nil)))
	if err != nil || !answer.Succeeded() {
		return nil, err
	}
	var message struct {
		Result map[string]json.RawMessage `json:"result"`
	}
	var entries []struct {
		Name string `json:"name"`
		URI  string `json:"uri"`
	}
	found := &listed{}
	if json.Unmarshal(answer.Body, &message) != nil ||
		json.Unmarshal(message.Result[listing[method]], &entries) != nil {
		return nil, p.Mismatch("a list in the result of "+method, "none")
	}
	_ = json.Unmarshal(message.Result["cacheScope"], &found.scope)
	for _, entry := range entries {
		found.names = append(found.names, entry.Name+" "+entry.URI)
	}
	slices.Sort(found.names)
	return found, nil
}

func sameOnEachConnection(ctx context.Context, p *bench.Probe) error {
	trial, err := p.Trial(ctx)
	if err != nil {
		return err
	}
	used, closeUsed := p.WithOwnConnections()
	defer closeUsed()
	for method := range listing {
		// On one connection after a call, on another that is new, and on the first one again.
		if _, err := used.Send(ctx, as(trial.Token, trial.Request())); err != nil {
			return err
		}
		before, err := readList(ctx, used, method, trial.Token)
		if err != nil {
			return err
		}
		fresh, closeFresh := p.WithOwnConnections()
		anew, err := readList(ctx, fresh, method, trial.Token)
		closeFresh()
		if err != nil {
			return err
		}
		after, err := readList(ctx, used, method, trial.Token)
		switch {
		case err != nil:
			return err
		case (before == nil) != (anew == nil):
			return fresh.Mismatch(
				"the same answer to "+method+" on each connection",
				"a list on one, and none on another",
			)
		case before != nil && after != nil && slices.Equal(before.names, after.names) &&
			!slices.Equal(before.names, anew.names):
			return fresh.Mismatch(
				"the same list by "+method+" on each connection",
				fmt.Sprintf("%d entries on one, and %d others on another", len(before.names), len(anew.names)),
			)
		}
	}
	return nil
}

// twoLists are one list as two users have it.
type twoLists struct{ mine, others *listed }

// listsOf are the lists that both users have.
func listsOf(ctx context.Context, p *bench.Probe) (map[string]twoLists, error) {
	token, err := p.Control(ctx)
	if err != nil {
		return nil, err
	}
	other, err := p.Token(ctx, bench.OtherUser)
	if err != nil {
		return nil, err
	}
	all := map[string]twoLists{}
	for method := range listing {
		mine, err := readList(ctx, p, method, token)
		if err != nil {
			return nil, err
		}
		others, err := readList(ctx, p, method, other)
		if err != nil {
			return nil, err
		}
		if mine != nil && others != nil {
			all[method] = twoLists{mine, others}
		}
	}
	if len(all) == 0 {
		return nil, &check.NotApplicable{Reason: "the server has no lists"}
	}
	return all, nil
}

func hiddenTools(ctx context.Context, p *bench.Probe) error {
	lists, err := listsOf(ctx, p)
	if err != nil {
		return err
	}
	token, err := p.Token(ctx, bench.Good)
	if err != nil {
		return err
	}
	other, err := p.Token(ctx, bench.OtherUser)
	if err != nil {
		return err
	}
	tried := 0
	tools, there := lists["tools/list"]
	if !there {
		return &check.NotApplicable{Reason: "the server has no tools"}
	}
	for _, side := range []struct {
		shown, hidden []string
		entitled      string
		token         string
	}{{tools.mine.names, tools.others.names, token, other}, {tools.others.names, tools.mine.names, other, token}} {
		for _, name := range side.shown {
			if slices.Contains(side.hidden, name) {
				continue
			}
			call := func() bench.Request {
				return p.Message(
					"tools/call",
					map[string]any{"name": name[:len(name)-1], "arguments": map[string]any{}},
				)
			}
			control, err := p.Send(ctx, as(side.entitled, call()))
			if err != nil {
				return err
			}
			if _, done := toolText(control); !done {
				continue // it needs arguments that nobody told us
			}
			tried++
			answer, err := p.Send(ctx, as(side.token, call()))
			if err != nil {
				return err
			}
			if _, done := toolText(answer); done {
				return p.Insecure("a refusal of a tool that the user's list does not have", "its result")
			}
		}
	}
	if tried == 0 {
		return &check.NotApplicable{Reason: "no tool that runs without arguments is hidden from one of the users"}
	}
	return nil
}
