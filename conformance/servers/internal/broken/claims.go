package broken

import (
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4/jwt"
)

// Faults in comparing claims.
const (
	ComparesIssuersLoosely   Fault = "compares issuers without letter case and slashes"
	ChecksNoTenant           Fault = "checks no tenant"
	CallsTenants             Fault = "calls an address that it builds from the tenant"
	IgnoresTokenVersion      Fault = "ignores the version of a token"
	AcceptsIDTokens          Fault = "accepts ID tokens"
	AcceptsClientAssertions  Fault = "accepts client assertions"
	IgnoresBinding           Fault = "ignores that a token is bound to a key"
	CallsClaimSources        Fault = "fetches claims from an address in the token"
	AcceptsMissingAudience   Fault = "accepts tokens without an audience"
	ComparesAudiencePrefixes Fault = "compares the beginnings of audiences"
	RefusesAudienceArrays    Fault = "refuses an audience that is an array"
	ReadsExpiryLoosely       Fault = "ignores an expiry time that is not a number"
	ReadsStartLoosely        Fault = "ignores a start time that is not a number"
	FindsScopeInside         Fault = "finds a scope inside another one"
	IdentifiesByName         Fault = "identifies people by their name"
	AcceptsRolesAsScopes     Fault = "accepts roles as scopes"
	ChecksNoClient           Fault = "checks no client"
	AcceptsPublicClients     Fault = "accepts tokens of clients without credentials"
)

// judgeClaims compares the claims of a token that the issuer has signed.
func (s *Server) judgeClaims(token *jws, untimed bool) (caller claims, good bool) {
	caller.untimed = untimed
	c := token.claims
	caller.Issuer, _ = c["iss"].(string)
	caller.Subject, _ = c["sub"].(string)
	caller.Tenant, _ = c["tid"].(string)
	caller.Version, _ = c["ver"].(string)
	caller.Scope = s.scopeOf(c)
	_, signsIn := c["nonce"].(string)
	switch {
	case s.has(AcceptsIDTokens) && signsIn:
		caller.Scope = scope
		return caller, s.inTime(c, &caller)
	case s.has(AcceptsRefreshTokens) && isRefreshToken(token):
		return caller, s.inTime(c, &caller)
	case s.has(AcceptsClientAssertions) && caller.Issuer == caller.Subject && caller.Issuer != "":
		caller.Scope = scope
		return caller, s.inTime(c, &caller)
	}
	if sources, there := c["_claim_sources"].(map[string]any); there && s.has(CallsClaimSources) {
		for _, source := range sources {
			if members, fits := source.(map[string]any); fits {
				address, _ := members["endpoint"].(string)
				call(address, new(any))
			}
		}
	}
	if name, _ := c["preferred_username"].(string); name != "" && s.has(IdentifiesByName) {
		caller.Subject = name
	}
	if _, bound := c["cnf"]; bound && !s.has(IgnoresBinding) {
		return caller, false
	}
	if client, _ := c["client_id"].(string); client != listedClient && !s.has(ChecksNoClient) {
		return caller, false
	}
	if strength, _ := c["azpacr"].(string); strength != "1" && strength != "2" && !s.has(AcceptsPublicClients) {
		return caller, false
	}
	return caller, s.issuedHere(&caller) && s.isFor(c["aud"]) && s.inTime(c, &caller)
}

// issuedHere compares the issuer, the tenant and the version.
func (s *Server) issuedHere(caller *claims) bool {
	issuer := caller.Issuer
	own := s.origin
	if s.has(ComparesIssuersLoosely) {
		issuer = strings.ToLower(strings.TrimSuffix(issuer, "/"))
		own = strings.ToLower(own)
	}
	if s.has(CallsTenants) && caller.Tenant != tenant {
		call("http://"+caller.Tenant+"/keys", new(any))
	}
	switch {
	case issuer != own && !s.has(ChecksNoIssuer):
		return false
	case caller.Tenant != tenant && !s.has(ChecksNoTenant):
		return false
	}
	return caller.Version == version || s.has(IgnoresTokenVersion)
}

// isFor reports whether an audience is the server, or an array with the server in it.
func (s *Server) isFor(audience any) bool {
	var names []string
	switch value := audience.(type) {
	case string:
		names = []string{value}
	case []any:
		if s.has(RefusesAudienceArrays) {
			return false
		}
		for _, element := range value {
			name, isText := element.(string)
			if !isText {
				return false
			}
			names = append(names, name)
		}
	case nil:
	default:
		return false
	}
	switch {
	case s.has(ChecksNoAudience) && len(names) > 0 && names[0] == "https://other.example/mcp":
		return true
	case s.has(AcceptsMissingAudience) && len(names) == 0:
		return true
	case s.has(ComparesAudiencePrefixes):
		return slices.ContainsFunc(names, func(name string) bool { return strings.HasPrefix(name, s.URL) })
	}
	return slices.Contains(names, s.URL)
}

// inTime compares the token's times with the clock.
func (s *Server) inTime(c map[string]any, caller *claims) bool {
	expiry, isNumber := s.expiryOf(c["exp"]).(float64)
	if !isNumber && !s.has(ReadsExpiryLoosely) {
		return false
	}
	caller.Expiry = jwt.NewNumericDate(time.Unix(int64(expiry), 0))
	now := float64(s.now().Unix())
	if isNumber && now > expiry+s.expiryLeeway() && !s.has(AcceptsExpired) && !caller.untimed {
		return false
	}
	for _, name := range []string{"nbf", "iat"} {
		value, there := c[name]
		begin, isNumber := value.(float64)
		switch {
		case !there:
		case !isNumber && name == "nbf" && s.has(ReadsStartLoosely):
		case !isNumber:
			return false
		case begin > now+s.startLeeway() && !s.has(AcceptsNotYetValid):
			return false
		}
	}
	return true
}

// scopeOf returns the scope of a token.
func (s *Server) scopeOf(c map[string]any) string {
	text, _ := c["scope"].(string)
	if s.has(FindsScopeInside) && strings.Contains(text, scope) {
		return scope
	}
	if roles, there := c["roles"].([]any); there && s.has(AcceptsRolesAsScopes) && slices.Contains(roles, any(scope)) {
		return scope
	}
	return text
}
