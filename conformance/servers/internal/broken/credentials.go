package broken

import (
	"net/http"
	"strings"
)

// credentials are what a request says of who calls.
type credentials struct {
	token     string
	malformed bool
}

// readCredentials finds the token of a request, which is in the one Authorization line or nowhere.
func (t *Server) readCredentials(r *http.Request) credentials {
	lines := r.Header["Authorization"]
	if len(lines) > 1 && (t.has(TakesFirstOfTwoHeaders) || t.has(TakesFirstOfTwoFields) && r.ProtoMajor == 2) {
		lines = lines[:1]
	}
	query := r.URL.Query().Get("access_token")
	switch {
	case query != "" && (t.has(AcceptsQueryToken) && len(lines) == 0 || t.has(PrefersQueryToken) && len(lines) > 0):
		return credentials{token: query}
	case len(lines) == 0:
		if cookie, err := r.Cookie("access_token"); err == nil && t.has(AcceptsCookieToken) && query == "" {
			return credentials{token: cookie.Value}
		}
		return credentials{}
	case len(lines) > 1:
		return credentials{malformed: true}
	}
	if token, read := compacted(lines[0]); read && t.has(TakesJSONSerialization) {
		return credentials{token: token}
	}
	kind, token, _ := strings.Cut(lines[0], " ")
	if fields := strings.Fields(lines[0]); t.has(TakesTabs) && len(fields) == 2 {
		kind = fields[0]
		token = fields[1]
	}
	token = strings.Trim(token, " ")
	if t.has(IgnoresScheme) && token != "" && !strings.Contains(token, " ") {
		kind = "Bearer"
	}
	if !strings.EqualFold(kind, "Bearer") || t.has(WantsBearerInOneCase) && kind != "Bearer" {
		return credentials{}
	}
	if t.has(SplitsLists) {
		token, _, _ = strings.Cut(token, ",")
	}
	if t.has(StripsIllegalBytes) && !strings.HasPrefix(token, `"`) {
		token = strings.Map(func(b rune) rune {
			if isTokenByte(b) || b == ',' || b == ' ' {
				return b
			}
			return -1
		}, token)
	}
	return credentials{
		token: token,
		malformed: token == "" ||
			strings.ContainsFunc(token, func(b rune) bool { return !isTokenByte(b) }),
	}
}

func isTokenByte(b rune) bool {
	return 'A' <= b && b <= 'Z' || 'a' <= b && b <= 'z' || '0' <= b && b <= '9' || strings.ContainsRune("-._~+/=", b)
}

// waved reports whether a fault lets a request through without any credentials.
func (t *Server) waved(r *http.Request) bool {
	switch {
	case t.has(ServesEverybody):
	case t.has(BelievesIdentityHeaders) && r.Header.Get("X-Forwarded-User") != "":
	case t.has(LetsProbesIn) && strings.HasPrefix(r.Header.Get("User-Agent"), "kube-probe/"):
	case t.has(ObeysMethodOverride) && r.Header.Get("X-Http-Method-Override") == http.MethodOptions:
	case t.has(RemembersConnections) && connectionOf(r).served.Load():
	case t.has(GuardsOnePathOnly) && r.URL.Path != "/mcp":
	case t.has(StreamsToAnybody) && r.Method == http.MethodGet && r.Header.Get("Authorization") == "" &&
		r.Header.Get("Mcp-Session-Id") != "":
	case t.has(EndsSessionsOfAnybody) && r.Method == http.MethodDelete && r.Header.Get("Authorization") == "" &&
		r.Header.Get("Mcp-Session-Id") != "":
	default:
		return false
	}
	return true
}
