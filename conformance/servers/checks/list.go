package checks

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// listChecks returns the checks of server/list: what the lists of tools, prompts and resources
// depend on (MCP 2026-07-28, Tools and Caching).
func listChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/list/by-connection",
				Level:     check.Must,
				Revisions: since(check.R20260728),
				Reference: "MCP 2026-07-28 server features, Tools, Capabilities",
				Sentence: "The same token gets the same lists on every connection, whatever was sent on it " +
					"before.",
				Covers: []string{"server-list-not-per-connection"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    attack.WithTrial(listByConnection),
		},
		{
			Rule: check.Rule{
				ID:        "server/list/cache-scope",
				Level:     check.Should,
				Severity:  check.High,
				Revisions: since(check.R20260728),
				Reference: "MCP 2026-07-28 server utilities, Caching, Security Considerations",
				Sentence:  "A list that depends on its caller is not marked as public.",
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
				Revisions:  since(check.R20260728),
				Disruptive: true,
				Reference:  "MCP 2026-07-28 server utilities, Caching, Security Considerations",
				Sentence:   "A tool that is missing from a user's list does not run for that user.",
				Covers:     []string{"server-cache-not-access-control"},
			},
			Tokens: []bench.TokenKind{bench.Good, bench.OtherUser},
			Run:    listHiddenTools,
		},
		{
			Rule: check.Rule{
				ID:         "server/list/hidden-from-scope",
				Level:      check.Must,
				Severity:   check.Critical,
				Revisions:  since(check.R20260728),
				Disruptive: true,
				Reference:  "MCP 2026-07-28 server utilities, Caching, Security Considerations",
				Sentence:   "A tool that is missing from the list of a token with fewer scopes does not run for it.",
				Covers:     []string{"server-cache-not-access-control"},
			},
			Tokens: []bench.TokenKind{bench.Good, bench.WithoutScope},
			Run:    listHiddenFromScope,
		},
	}
}

// listByConnection compares the lists on a connection that has carried a call with the lists on a
// new one.
func listByConnection(ctx context.Context, p *bench.Probe, trial *bench.Trial) error {
	used, closeUsed := p.WithOwnConnections()
	defer closeUsed()
	for _, method := range listMethods {
		if _, err := used.Send(ctx, attack.WithToken(trial.Token, trial.Request())); err != nil {
			return err
		}
		before, err := readList(ctx, used, method.name, method.member, trial.Token)
		if err != nil {
			return err
		}
		fresh, closeFresh := p.WithOwnConnections()
		onFresh, err := readList(ctx, fresh, method.name, method.member, trial.Token)
		closeFresh()
		if err != nil {
			return err
		}
		after, err := readList(ctx, used, method.name, method.member, trial.Token)
		if err != nil {
			return err
		}
		if err := wantSameLists(fresh, method.name, before, onFresh, after); err != nil {
			return err
		}
	}
	return nil
}

// wantSameLists compares the lists on two connections. The first connection is asked twice: if its
// lists differ, they have changed meanwhile.
func wantSameLists(p *bench.Probe, method string, before, onFresh, after *list) error {
	if (before == nil) != (onFresh == nil) {
		return p.Mismatch("the same answer to "+method+" on each connection", "a list on one, and none on another")
	}
	if before == nil || after == nil || !slices.Equal(before.names, after.names) {
		return nil
	}
	if !slices.Equal(before.names, onFresh.names) {
		return p.Mismatch(
			"the same list by "+method+" on each connection",
			fmt.Sprintf("%d entries on one, and %d others on another", len(before.names), len(onFresh.names)),
		)
	}
	return nil
}

// readList returns a list as a token gets it, or nil if the server refuses the method.
func readList(ctx context.Context, p *bench.Probe, method, member, token string) (*list, error) {
	answer, err := p.Send(ctx, attack.WithToken(token, p.Message(method, nil)))
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
	err = json.Unmarshal(answer.Body, &message)
	if err == nil {
		err = json.Unmarshal(message.Result[member], &entries)
	}
	if err != nil {
		return nil, p.Mismatch("a list in the result of "+method, "none")
	}
	found := &list{}
	_ = json.Unmarshal(message.Result["cacheScope"], &found.cacheScope)
	for _, entry := range entries {
		found.names = append(found.names, entry.Name+" "+entry.URI)
	}
	slices.Sort(found.names)
	return found, nil
}

// listCacheScope compares the lists of two users.
func listCacheScope(ctx context.Context, p *bench.Probe) error {
	pairs, err := listsOfBoth(ctx, p)
	if err != nil {
		return err
	}
	for _, pair := range pairs {
		differ := !slices.Equal(pair.mine.names, pair.others.names)
		if differ && (pair.mine.cacheScope == "public" || pair.others.cacheScope == "public") {
			return p.Insecure("cacheScope private for a list of "+pair.method+" that differs between users", "public")
		}
	}
	return nil
}

// A listPair is one list as two users get it.
type listPair struct {
	method       string
	mine, others *list
}

// listsOfBoth returns the lists that both users get.
func listsOfBoth(ctx context.Context, p *bench.Probe) ([]listPair, error) {
	token, err := p.Control(ctx)
	if err != nil {
		return nil, err
	}
	other, err := p.Token(ctx, bench.OtherUser)
	if err != nil {
		return nil, err
	}
	var pairs []listPair
	for _, method := range listMethods {
		mine, err := readList(ctx, p, method.name, method.member, token)
		if err != nil {
			return nil, err
		}
		others, err := readList(ctx, p, method.name, method.member, other)
		if err != nil {
			return nil, err
		}
		if mine != nil && others != nil {
			pairs = append(pairs, listPair{method.name, mine, others})
		}
	}
	if len(pairs) == 0 {
		return nil, &check.NotApplicable{Reason: "the server has no lists"}
	}
	return pairs, nil
}

// listHiddenTools calls the tools that only one of two users sees, first as that user and then as
// the other.
func listHiddenTools(ctx context.Context, p *bench.Probe) error {
	pairs, err := listsOfBoth(ctx, p)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(pairs, func(pair listPair) bool { return pair.method == "tools/list" })
	if i < 0 {
		return &check.NotApplicable{Reason: "the server has no tools"}
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
	for _, side := range []struct {
		shown, other *list
		entitled     string // the token whose list shows the tool
		token        string
	}{
		{pairs[i].mine, pairs[i].others, token, other},
		{pairs[i].others, pairs[i].mine, other, token},
	} {
		runs, err := callAllHidden(ctx, p, side.shown, side.other, side.entitled, side.token)
		if err != nil {
			return err
		}
		tried += runs
	}
	if tried == 0 {
		return &check.NotApplicable{Reason: "no tool that runs without arguments is hidden from one of the users"}
	}
	return nil
}

// listHiddenFromScope calls the tools that a token with fewer scopes does not see.
func listHiddenFromScope(ctx context.Context, p *bench.Probe) error {
	token, err := p.Control(ctx)
	if err != nil {
		return err
	}
	narrow, err := p.Token(ctx, bench.WithoutScope)
	if err != nil {
		return err
	}
	shown, err := readList(ctx, p, "tools/list", "tools", token)
	if err != nil {
		return err
	}
	other, err := readList(ctx, p, "tools/list", "tools", narrow)
	if err != nil {
		return err
	}
	if shown == nil || other == nil {
		return &check.NotApplicable{Reason: "a token with fewer scopes gets no list of tools"}
	}
	tried, err := callAllHidden(ctx, p, shown, other, token, narrow)
	if err == nil && tried == 0 {
		const reason = "no tool that runs without arguments is hidden from a token with fewer scopes"
		err = &check.NotApplicable{Reason: reason}
	}
	return err
}

// callAllHidden calls the tools that one of two tokens does not see with both, and returns how many
// run for the other.
func callAllHidden(ctx context.Context, p *bench.Probe, shown, other *list, entitled, token string) (int, error) {
	tried := 0
	for _, name := range shown.names {
		if slices.Contains(other.names, name) {
			continue
		}
		runs, err := callHidden(ctx, p, strings.TrimSuffix(name, " "), entitled, token)
		if err != nil {
			return tried, err
		}
		if runs {
			tried++
		}
	}
	return tried, nil
}

// callHidden calls a tool as two users, and reports whether it runs for the user who sees it.
func callHidden(ctx context.Context, p *bench.Probe, name, entitled, token string) (bool, error) {
	call := func(token string) (bool, error) {
		params := map[string]any{"name": name, "arguments": map[string]any{}}
		answer, err := p.Send(ctx, attack.WithToken(token, p.Message("tools/call", params)))
		if err != nil {
			return false, err
		}
		_, succeeded := attack.ToolText(answer)
		return succeeded, nil
	}
	runs, err := call(entitled)
	if err != nil || !runs {
		return false, err // the tool may need arguments
	}
	ran, err := call(token)
	if err == nil && ran {
		return true, p.Insecure("a refusal of a tool that is missing from the user's list", "its result")
	}
	return true, err
}

// A list is a list as one user gets it.
type list struct {
	names      []string
	cacheScope string
}

// listMethods are the methods that list, with the member of the result that has the list.
var listMethods = []struct{ name, member string }{
	{"tools/list", "tools"},
	{"prompts/list", "prompts"},
	{"resources/list", "resources"},
}
