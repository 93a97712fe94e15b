package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers"
)

// inputs are the flags that supply the needs of server checks.
var inputs = []struct {
	need servers.Need
	text string
}{
	{servers.IssuerKey, "--issuer-key FILE, --fakeentra URL or --rig HOST:PORT: the issuer's key"},
	{
		servers.TimedTokens,
		"--issuer-key FILE, --fakeentra URL, --rig HOST:PORT, or --sign-in where tokens expire within 25 seconds",
	},
	{servers.CanaryTool, "--canary-tool NAME and --canary-log FILE: a tool that shows when it has run"},
	{servers.HandleTools, "--state-tool NAME and --handle-tool NAME: one tool returns state, the other takes it"},
	{servers.RoundsTool, "--rounds-tool NAME and --rounds-answers JSON: a tool that asks its caller for input first"},
	{servers.TaskTool, "--task-tool NAME: a tool that can be called as a task"},
	{servers.WhoamiTool, "--whoami-tool NAME: a tool that returns the caller's identity"},
	{servers.LocalOnly, "--local, if the server is for this machine only"},
	{servers.ForwardedView, "--upstream-log FILE: the requests that the server forwards"},
	{servers.OwnServer, "--rig HOST:PORT and --rig-start COMMAND: a new server for each attempt"},
}

// signedInKinds are the kinds of tokens that --sign-in can give.
var signedInKinds = []servers.TokenKind{
	servers.Good, servers.Refreshed, servers.Revoked, servers.RefreshToken, servers.IDToken, servers.WithoutScope,
	servers.ForeignAudience, servers.ShortLived, servers.Expired,
}

// keyKinds are the kinds of tokens that --issuer-key can make from a good one.
var keyKinds = []servers.TokenKind{
	servers.Expired, servers.NotYetValid, servers.ForeignAudience, servers.ForeignIssuer,
}

// tokenInput describes the flags that give a token of a kind.
func tokenInput(kind servers.TokenKind) string {
	var flags []string
	if slices.Contains(signedInKinds, kind) {
		flags = append(flags, "--sign-in")
	}
	if slices.Contains(keyKinds, kind) {
		flags = append(flags, "--issuer-key FILE")
	}
	if flag := tokenFlag(kind); flag != "" {
		flags = append(flags, "--"+flag+" FILE")
	}
	return strings.Join(flags, " or ") + ": a token of the kind " + string(kind)
}

// writeMissing lists the inputs that would let checks run that were skipped, or more of one that
// ran. It also writes how many checks need each.
func writeMissing(out io.Writer, target *servers.Target, found *check.Report) {
	skipped := map[string]bool{}
	for _, result := range found.Results {
		if result.Verdict == check.Skip {
			skipped[result.Rule.ID] = true
		}
	}
	counts := map[string]int{}
	for _, current := range servers.Checks() {
		if !skipped[current.ID] {
			continue
		}
		tokens, needs := target.Missing(&current)
		for _, kind := range tokens {
			counts[tokenInput(kind)]++
		}
		for _, input := range inputs {
			if slices.Contains(needs, input.need) {
				counts[input.text]++
			}
		}
	}
	if target.Rounds != nil && target.Rounds.Expire == nil {
		counts["--rounds-expire COMMAND: a way to let request state expire"]++
	}
	if len(counts) == 0 {
		return
	}
	fmt.Fprintln(out, "\nMore checks can run with more inputs. The number is how many need each:")
	texts := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		if counts[a] != counts[b] {
			return counts[b] - counts[a]
		}
		return strings.Compare(a, b)
	})
	for _, text := range texts {
		fmt.Fprintf(out, "%5d  %s\n", counts[text], text)
	}
}
