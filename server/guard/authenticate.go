package guard

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"mcpentra/server/identity"
	"mcpentra/server/token"
)

// Texts of challenges. They are constant, so nothing that a client sent comes back in them.
const (
	textNoToken      = "this needs an access token, see resource_metadata in the WWW-Authenticate header"
	textInvalidToken = "the access token is expired, revoked, malformed or not meant for this server"
	textMalformed    = "the Authorization header has to be exactly one, of the form: Bearer <token>"
	textScope        = "the access token lacks a scope that this needs"
	textAppRole      = "an application that calls for itself needs an app role here"
	textForbidden    = "this client may not call this server, regardless of the user"
	textUnavailable  = "access tokens cannot be checked at the moment, try again later"
)

// authenticate verifies the token in the Authorization header. It looks in no other place: not in
// query parameters, bodies, cookies or other headers (OAuth 2.1 section 5.1).
func (g *Guard) authenticate(r *http.Request) (raw string, caller *identity.Caller, refused *refusal) {
	raw, malformed := bearer(r.Header["Authorization"])
	switch {
	case malformed:
		return "", nil, &refusal{
			status:      http.StatusBadRequest,
			challenge:   true,
			code:        "invalid_request",
			description: textMalformed,
			cause:       cause{reason: "malformed credentials"},
		}
	case raw == "":
		return "", nil, &refusal{
			status:      http.StatusUnauthorized,
			challenge:   true,
			description: textNoToken,
			cause:       cause{reason: "no token"},
		}
	}
	caller, err := g.verify(r.Context(), raw)
	if err != nil {
		return "", nil, g.unverified(r, err)
	}
	if caller == nil {
		g.log.Error("Verify returned neither an identity nor an error")
		return "", nil, unavailable("verification error", 0)
	}
	// The same rule ends streams. A token that this gate accepts therefore leaves a stream some
	// time.
	if end := tokenEnd(caller); !end.IsZero() && !g.now().Before(end) {
		return "", nil, g.unverified(r, token.NewInvalidError(token.Expired))
	}
	return raw, caller, g.authorize(caller)
}

// unverified turns an error of Verify into a refusal.
func (g *Guard) unverified(r *http.Request, err error) *refusal {
	var invalid *token.InvalidError
	var forbidden *ForbiddenError
	var noKeys *token.UnavailableError
	switch {
	case errors.As(err, &invalid):
		return invalidToken(cause{string(invalid.Reason), invalid.Seen, invalid.Setting})
	case errors.As(err, &forbidden):
		return &refusal{
			status:      http.StatusForbidden,
			code:        "access_denied",
			description: textForbidden,
			cause:       cause{forbidden.Reason, forbidden.Seen, forbidden.Setting},
		}
	case errors.As(err, &noKeys):
		g.log.Warn("tokens cannot be judged", "error", noKeys.Err)
		return unavailable("keys unavailable", noKeys.RetryAfter)
	case r.Context().Err() == nil:
		g.log.Error("tokens cannot be judged", "error", err)
	}
	return unavailable("verification error", 0)
}

// invalidToken refuses a token. The client does not learn the cause.
func invalidToken(why cause) *refusal {
	return &refusal{
		status:      http.StatusUnauthorized,
		challenge:   true,
		code:        "invalid_token",
		description: textInvalidToken,
		cause:       why,
	}
}

// unavailable refuses a request whose token cannot be verified at the moment. Without a challenge,
// the client keeps its token.
func unavailable(reason string, retryAfter time.Duration) *refusal {
	return &refusal{
		status:      http.StatusServiceUnavailable,
		retryAfter:  retryAfter,
		description: textUnavailable,
		cause:       cause{reason: reason},
	}
}

// authorize checks what every request needs: the scopes of the caller, or one of the app roles of
// an application that has no scopes.
func (g *Guard) authorize(caller *identity.Caller) *refusal {
	if caller.Kind == identity.App && caller.Scopes == nil {
		return g.authorizeApp(caller)
	}
	for _, scope := range g.scopes {
		if !slices.Contains(caller.Scopes, scope) {
			return &refusal{
				status:      http.StatusForbidden,
				challenge:   true,
				code:        "insufficient_scope",
				description: textScope,
				cause: cause{
					reason: "the scope " + scope + " is missing",
					seen:   strings.Join(caller.Scopes, " "),
				},
			}
		}
	}
	return nil
}

func (g *Guard) authorizeApp(caller *identity.Caller) *refusal {
	if slices.ContainsFunc(g.appRoles, func(role string) bool { return slices.Contains(caller.Roles, role) }) {
		return nil
	}
	return &refusal{
		status:      http.StatusForbidden,
		challenge:   true,
		code:        "insufficient_scope",
		description: textAppRole,
		cause: cause{
			reason:  "the application has none of the app roles",
			seen:    strings.Join(caller.Roles, " "),
			setting: "AUTH_APP_ROLES",
		},
	}
}

// bearer finds the token in the lines of the Authorization header. It returns "" if there is no
// line, or one of another scheme.
func bearer(lines []string) (raw string, malformed bool) {
	switch len(lines) {
	case 0:
		return "", false
	case 1:
	default:
		return "", true // two readers could pick two different lines
	}
	scheme, raw, _ := strings.Cut(lines[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", false
	}
	raw = strings.Trim(raw, " ") // RFC 9110 section 11.4 allows more than one blank
	return raw, !isToken68(raw)
}

// isToken68 checks the syntax of RFC 9110 section 11.2. It allows no comma, blank or quote, so it
// refuses lists of credentials.
func isToken68(raw string) bool {
	body := strings.TrimRight(raw, "=")
	if body == "" {
		return false
	}
	var other byte
	for ; len(body) >= 8; body = body[8:] { // eight at once, since tokens are long
		other |= notToken68[body[0]] | notToken68[body[1]] | notToken68[body[2]] | notToken68[body[3]] |
			notToken68[body[4]] | notToken68[body[5]] | notToken68[body[6]] | notToken68[body[7]]
	}
	for i := range len(body) {
		other |= notToken68[body[i]]
	}
	return other == 0
}

// notToken68 is 1 for each byte that RFC 9110 section 11.2 does not allow before the equals signs
// at the end.
var notToken68 = func() (table [256]byte) {
	const allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/"
	for b := range table {
		if !strings.ContainsRune(allowed, rune(b)) {
			table[b] = 1
		}
	}
	return table
}()
