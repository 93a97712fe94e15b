package doctor

import (
	"context"
	"net/http"
	"slices"
	"strings"
)

// neighboursSeen is what the step neighbours collects.
type neighboursSeen struct {
	w      *walk
	open   []string // addresses of the endpoint's path that serve without a token
	others []string // other addresses that do
}

// neighbourPaths returns other paths at which the same server may answer.
func (w *walk) neighbourPaths() []string {
	path := w.endpoint.EscapedPath()
	origin := originOf(w.endpoint)
	slashed := origin + path + "/"
	if trimmed := strings.TrimSuffix(path, "/"); trimmed != path {
		slashed = origin + trimmed
	}
	var others []string
	for _, address := range []string{slashed, origin + "/mcp", origin + "/mcp/", origin + "/", origin + "/sse"} {
		if address != origin+path && !slices.Contains(others, address) {
			others = append(others, address)
		}
	}
	return others
}

// isEndpoint reports whether an answer to initialize can be the one of an MCP endpoint.
func isEndpoint(a *answer) bool {
	return a.status == http.StatusUnauthorized || a.status/100 == 2 && isMessage(a)
}

// guess looks for the endpoint at the usual paths.
func (w *walk) guess(ctx context.Context, step *Step) {
	for _, address := range w.neighbourPaths() {
		a := w.message(ctx, address, initialize, nil)
		step.did("POST initialize to %s: %s", w.secrets.Shown(address), w.says(a))
		if isEndpoint(a) {
			w.otherPath = address
			return
		}
	}
}

// neighbours looks whether the server also answers without a token at other paths.
func (w *walk) neighbours(ctx context.Context, step *Step) bool {
	seen := &neighboursSeen{w: w}
	if w.challenged.first.status != http.StatusUnauthorized {
		step.fine("neighbours-not-tried", "the endpoint itself asks for no token")
		return true
	}
	for _, address := range w.neighbourPaths() {
		a := w.message(ctx, address, initialize, nil)
		step.did("POST initialize to %s: %s", w.secrets.Shown(address), w.says(a))
		if a.status/100 != 2 || !isMessage(a) {
			continue
		}
		tools := w.message(ctx, address, listTools, nil)
		step.did("POST tools/list to %s: %s", w.secrets.Shown(address), w.says(tools))
		if tools.status/100 == 2 && isMessage(tools) {
			if strings.Trim(address, "/") == strings.Trim(originOf(w.endpoint)+w.endpoint.EscapedPath(), "/") {
				seen.open = append(seen.open, address)
			} else {
				seen.others = append(seen.others, address)
			}
		}
	}
	diagnose(step, seen, neighbourSymptoms)
	step.fine("neighbours-protected", "no other path serves the tools without a token")
	return true
}

func (s *neighboursSeen) seesOpen() string {
	if len(s.open) == 0 {
		return ""
	}
	return "tools/list is served without a token at " + s.w.secrets.Shown(strings.Join(s.open, ", "))
}

func (s *neighboursSeen) seesOthers() string {
	if len(s.others) == 0 {
		return ""
	}
	return "tools/list is served without a token at " + s.w.secrets.Shown(strings.Join(s.others, ", "))
}

var neighbourSymptoms = []symptom[*neighboursSeen]{
	{
		code:    "neighbour-unprotected",
		kind:    Fault,
		seen:    (*neighboursSeen).seesOpen,
		why:     "The check of tokens is bound to one path, and the server answers at another one, too.",
		effects: everyClient("they work at the other address without a sign-in, and so does every attacker"),
		fixes:   fixNeighbour,
	},
	{
		code:    "other-endpoint-open",
		kind:    Warning,
		seen:    (*neighboursSeen).seesOthers,
		why:     "If the same tools are there, the check of tokens is bound to one path.",
		effects: everyClient("they work at the other address without a sign-in"),
		fixes:   fixNeighbour,
	},
}

func fixNeighbour(s *neighboursSeen) []Fix {
	path := clean(pathOf(s.w.endpoint))
	return []Fix{
		serverFix("MCP_UPSTREAM=http://localhost:9000/mcp   # this server, reachable only from mcp-entra-server"),
		nginxFix("location = "+path+" {", "\tproxy_pass http://localhost:8000;", "}", "location / {",
			"\treturn 404;   # besides /.well-known/ and the pages of the sign-in", "}"),
		codeFix("check the token before the path, for all paths"),
	}
}
