package broken

import (
	"net/http"
	"strings"
)

// credentials are the credentials of a request.
type credentials struct {
	token     string
	malformed bool
}

// readCredentials returns the token of a request. A correct server accepts it in a single
// Authorization line only.
func (s *Server) readCredentials(r *http.Request) credentials {
	lines := r.Header["Authorization"]
	if len(lines) > 1 && (s.has(AcceptsFirstOfTwoHeaders) || s.has(AcceptsFirstOfTwoFields) && r.ProtoMajor == 2) {
		lines = lines[:1]
	}
	if token := s.tokenElsewhere(r); token != "" {
		return credentials{token: token}
	}
	query := r.URL.Query().Get("access_token")
	switch {
	case query != "" && (s.has(AcceptsQueryToken) && len(lines) == 0 || s.has(PrefersQueryToken) && len(lines) > 0):
		return credentials{token: query}
	case len(lines) == 0:
		if cookie, err := r.Cookie("access_token"); err == nil && s.has(AcceptsCookieToken) && query == "" {
			return credentials{token: cookie.Value}
		}
		return credentials{}
	case len(lines) > 1:
		return credentials{malformed: true}
	}
	if token, read := compactFromJSON(lines[0]); read && s.has(AcceptsJSONSerialization) {
		return credentials{token: token}
	}
	kind, token, _ := strings.Cut(lines[0], " ")
	if fields := strings.Fields(lines[0]); s.has(AcceptsTabs) && len(fields) == 2 {
		kind = fields[0]
		token = fields[1]
	}
	token = strings.Trim(token, " ")
	if s.has(IgnoresScheme) && token != "" && !strings.Contains(token, " ") {
		kind = "Bearer"
	}
	if !strings.EqualFold(kind, "Bearer") || s.has(WantsBearerInOneCase) && kind != "Bearer" {
		return credentials{}
	}
	if s.has(SplitsLists) {
		token, _, _ = strings.Cut(token, ",")
	}
	if s.has(StripsIllegalBytes) && !strings.HasPrefix(token, `"`) {
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

// letsPass reports whether a fault lets a request pass without credentials.
func (s *Server) letsPass(r *http.Request) bool {
	switch {
	case s.has(IgnoresTokens), s.has(AsksForNothing), s.passesUnguarded(r):
	case s.has(TrustsIdentityHeaders) && r.Header.Get("X-Forwarded-User") != "":
	case s.has(TrustsProbes) && strings.HasPrefix(r.Header.Get("User-Agent"), "kube-probe/"):
	case s.has(ObeysMethodOverride) && r.Header.Get("X-Http-Method-Override") == http.MethodOptions:
	case s.has(RemembersConnections) && connectionOf(r).served.Load():
	case s.has(GuardsOnePathOnly) && r.URL.Path != "/mcp":
	case s.has(StreamsWithoutToken) && r.Method == http.MethodGet && r.Header.Get("Authorization") == "" &&
		r.Header.Get("Mcp-Session-Id") != "":
	case s.has(EndsSessionsWithoutToken) && r.Method == http.MethodDelete && r.Header.Get("Authorization") == "" &&
		r.Header.Get("Mcp-Session-Id") != "":
	default:
		return s.passesByClaim(r)
	}
	return true
}
