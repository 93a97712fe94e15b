package broken

import (
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4/jwt"
)

// Faults of how claims are compared.
const (
	ComparesIssuersLoosely   Fault = "compares issuers without case and slashes"
	ChecksNoTenant           Fault = "checks no tenant"
	CallsTenants             Fault = "calls an address made of the tenant"
	IgnoresTokenVersion      Fault = "ignores the version of a token"
	TakesIDTokens            Fault = "takes ID tokens"
	TakesClientAssertions    Fault = "takes client assertions"
	IgnoresBinding           Fault = "ignores that a token is bound to a key"
	CallsClaimSources        Fault = "calls the sources of claims"
	TakesTokensForNobody     Fault = "takes tokens that are for nobody"
	ComparesAudiencePrefixes Fault = "compares the beginnings of audiences"
	WantsAudienceAsText      Fault = "wants the audience as text"
	ReadsExpiryLoosely       Fault = "takes an expiry time that is no number for none"
	ReadsStartLoosely        Fault = "takes a start that is no number for none"
	FindsScopeInside         Fault = "finds a scope inside another one"
	KnowsPeopleByName        Fault = "knows people by their name"
	TakesRolesForScopes      Fault = "takes roles for scopes"
	ChecksNoClient           Fault = "checks no client"
	TakesPublicClients       Fault = "takes tokens of clients without credentials"
)

// judge compares what a token that the issuer has signed says.
func (t *Server) judge(token *jws, untimed bool) (caller claims, good bool) {
	caller.untimed = untimed
	c := token.claims
	caller.Issuer, _ = c["iss"].(string)
	caller.Subject, _ = c["sub"].(string)
	caller.Tenant, _ = c["tid"].(string)
	caller.Version, _ = c["ver"].(string)
	caller.Scope = t.scopeOf(c)
	_, signsIn := c["nonce"].(string)
	switch {
	case t.has(TakesIDTokens) && signsIn:
		caller.Scope = scope
		return caller, t.inTime(c, &caller)
	case t.has(TakesClientAssertions) && caller.Issuer == caller.Subject && caller.Issuer != "":
		caller.Scope = scope
		return caller, t.inTime(c, &caller)
	}
	if sources, there := c["_claim_sources"].(map[string]any); there && t.has(CallsClaimSources) {
		for _, source := range sources {
			if one, fits := source.(map[string]any); fits {
				address, _ := one["endpoint"].(string)
				call(address, new(any))
			}
		}
	}
	if name, _ := c["preferred_username"].(string); name != "" && t.has(KnowsPeopleByName) {
		caller.Subject = name
	}
	if _, bound := c["cnf"]; bound && !t.has(IgnoresBinding) {
		return caller, false
	}
	if client, _ := c["client_id"].(string); client != listedClient && !t.has(ChecksNoClient) {
		return caller, false
	}
	if strength, _ := c["azpacr"].(string); strength != "1" && strength != "2" && !t.has(TakesPublicClients) {
		return caller, false
	}
	return caller, t.issuedHere(&caller) && t.isFor(c["aud"]) && t.inTime(c, &caller)
}

func (t *Server) issuedHere(caller *claims) bool {
	issuer := caller.Issuer
	own := t.origin
	if t.has(ComparesIssuersLoosely) {
		issuer, own = strings.ToLower(strings.TrimSuffix(issuer, "/")), strings.ToLower(own)
	}
	if t.has(CallsTenants) && caller.Tenant != tenant {
		call("http://"+caller.Tenant+"/keys", new(any))
	}
	switch {
	case issuer != own && !t.has(ChecksNoIssuer):
		return false
	case caller.Tenant != tenant && !t.has(ChecksNoTenant):
		return false
	}
	return caller.Version == version || t.has(IgnoresTokenVersion)
}

// isFor reports whether an audience is the server, or has it among others.
func (t *Server) isFor(audience any) bool {
	var names []string
	switch value := audience.(type) {
	case string:
		names = []string{value}
	case []any:
		if t.has(WantsAudienceAsText) {
			return false
		}
		for _, one := range value {
			name, isText := one.(string)
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
	case t.has(ChecksNoAudience) && len(names) > 0 && names[0] == "https://other.example/mcp":
		return true
	case t.has(TakesTokensForNobody) && len(names) == 0:
		return true
	case t.has(ComparesAudiencePrefixes):
		return slices.ContainsFunc(names, func(name string) bool { return strings.HasPrefix(name, t.URL) })
	}
	return slices.Contains(names, t.URL)
}

// inTime compares a token's times with the clock.
func (t *Server) inTime(c map[string]any, caller *claims) bool {
	expiry, isNumber := c["exp"].(float64)
	if !isNumber && !t.has(ReadsExpiryLoosely) {
		return false
	}
	caller.Expiry = jwt.NewNumericDate(time.Unix(int64(expiry), 0))
	now := float64(t.now().Unix())
	if isNumber && now > expiry && !t.has(AcceptsExpired) && !caller.untimed {
		return false
	}
	for _, name := range []string{"nbf", "iat"} {
		value, there := c[name]
		begin, isNumber := value.(float64)
		switch {
		case !there:
		case !isNumber && name == "nbf" && t.has(ReadsStartLoosely):
		case !isNumber:
			return false
		case begin > now && !t.has(AcceptsNotYetValid):
			return false
		}
	}
	return true
}

func (t *Server) scopeOf(c map[string]any) string {
	text, _ := c["scope"].(string)
	if t.has(FindsScopeInside) && strings.Contains(text, scope) {
		return scope
	}
	if roles, there := c["roles"].([]any); there && t.has(TakesRolesForScopes) && slices.Contains(roles, any(scope)) {
		return scope
	}
	return text
}
