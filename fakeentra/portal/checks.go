package portal

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"mcpentra/fakeentra/directory"
)

// A check is one thing that a resource server has to look at.
type check struct {
	Name   string
	Passed bool
	Detail string // what the token has
}

// check checks a token as a careful resource server does. The audience is an application ID, or
// empty for the API that aud names.
func (d *reader) check(t *parsed, audience, scope string) []check {
	var found []check
	add := func(name string, passed bool, format string, args ...any) {
		found = append(found, check{name, passed, fmt.Sprintf(format, args...)})
	}
	add("no name appears twice", t.doubled == "", "%s", orWord(t.doubled, "each name appears once"))
	algorithm, _ := t.header["alg"].(string)
	add("alg is RS256", algorithm == "RS256", "alg is %q", algorithm)
	_, isCritical := t.header["crit"]
	extension := orWord(word(isCritical, "crit is present"), "there is no crit")
	add("the header demands no extension", !isCritical, "%s", extension)
	d.checkKey(t, algorithm, add)
	tenant := d.tenant(t.text("tid"))
	d.checkIssuer(t, tenant, add)
	d.checkAudience(t, audience, add)
	expiry, hasExpiry := t.time("exp")
	add("exp is in the future", hasExpiry && expiry.After(d.now), "%s", t.when(d, "exp"))
	start, hasStart := t.time("nbf")
	isStarted := !hasStart && t.claims["nbf"] == nil || hasStart && !start.After(d.now)
	add("nbf is not in the future", isStarted, "%s", t.when(d, "nbf"))
	isBound := t.claims["cnf"] != nil
	confirmation := orWord(word(isBound, "cnf is present"), "there is no cnf")
	add("the token is not bound to a key", !isBound, "%s", confirmation)
	t.checkKind(scope, add)
	return found
}

// An adder adds a check.
type adder func(name string, passed bool, format string, args ...any)

// checkKey checks that a published key signed the token.
func (d *reader) checkKey(t *parsed, algorithm string, add adder) {
	id, _ := t.header["kid"].(string)
	for _, key := range d.keys {
		if key.ID != id {
			continue
		}
		add("kid names a published key", true, "kid is %q, the %s key", id, key.Use)
		_, forGraph := t.header["nonce"]
		verified := algorithm == "RS256" && verifies(t, key.Modulus, key.Exponent)
		switch {
		case verified:
			add("the signature is right", true, "the key verifies it")
		case forGraph:
			add("the signature is right", false, "the header has a nonce: only Microsoft Graph can verify this token")
		default:
			add("the signature is right", false, "the key does not verify it")
		}
		return
	}
	add("kid names a published key", false, "kid is %q", id)
	add("the signature is right", false, "without a key nothing verifies it")
}

// verifies verifies an RS256 signature (RFC 7518 section 3.3).
func verifies(t *parsed, modulus, exponent string) bool {
	n, err := base64.RawURLEncoding.DecodeString(modulus)
	if err != nil {
		return false
	}
	e, err := base64.RawURLEncoding.DecodeString(exponent)
	if err != nil {
		return false
	}
	key := &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}
	digest := sha256.Sum256([]byte(t.raw[:strings.LastIndexByte(t.raw, '.')]))
	return rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], t.signature) == nil
}

// checkIssuer checks that iss is the issuer of the tenant in tid. Both versions have their own.
func (d *reader) checkIssuer(t *parsed, tenant *directory.Tenant, add adder) {
	add("tid is a tenant of the directory", tenant != nil, "tid is %q", t.text("tid"))
	if tenant == nil {
		add("iss is the issuer of the tenant", false, "iss is %q", t.text("iss"))
		return
	}
	want := d.issuer(tenant.ID)
	if t.text("ver") == "1.0" {
		want = d.v1Issuer(tenant.ID)
	}
	add("iss is the issuer of the tenant", t.text("iss") == want, "iss is %q; version %s of this tenant has %q",
		t.text("iss"), orWord(t.text("ver"), "2.0"), want)
}

// checkAudience checks that aud is the API: its application ID, or in v1 tokens an identifier URI.
func (d *reader) checkAudience(t *parsed, audience string, add adder) {
	name := "aud is an API of the directory"
	if audience != "" {
		name = "aud is your API"
	}
	aud := t.text("aud")
	isGraph := aud == d.graph || aud == directory.GraphAppID
	for _, tenant := range d.directory.Tenants {
		for _, app := range tenant.Apps {
			isApp := strings.EqualFold(aud, app.ID) || slices.Contains(app.IdentifierURIs, aud)
			if isApp && (audience == "" || strings.EqualFold(audience, app.ID)) {
				add(name, true, "aud is %q, %s", aud, app.DisplayName)
				checkVersion(t, &app, add)
				return
			}
		}
	}
	detail := ""
	if isGraph {
		detail = ": a token for Microsoft Graph, which no other API may accept"
	}
	add(name, false, "aud is %q%s", aud, detail)
}

// checkVersion checks that the token has the version that the API is registered for. ID tokens have
// the version of the endpoint, so they are not judged.
func checkVersion(t *parsed, api *directory.App, add adder) {
	want := "1.0"
	if api.TokenVersion == 2 {
		want = "2.0"
	}
	if len(api.Scopes) > 0 {
		add("ver is the version of the API", t.text("ver") == want, "ver is %q; the API is registered for %s",
			t.text("ver"), want)
	}
}

// checkKind checks that the token is an access token, and has the scope.
func (t *parsed) checkKind(scope string, add adder) {
	scopes := strings.Fields(t.text("scp"))
	roles, _ := t.claims["roles"].([]any)
	isApp := len(scopes) == 0 && t.text("oid") != "" && t.text("oid") == t.text("sub")
	isAccess := len(scopes) > 0 || isApp
	detail := fmt.Sprintf("for a person, with scp %q", t.text("scp"))
	switch {
	case isApp:
		detail = fmt.Sprintf("for an app itself, with roles %v", roles)
	case !isAccess:
		detail = "there is no scp: an ID token does not open an API"
	}
	add("it is an access token", isAccess, "%s", detail)
	if scope == "" {
		return
	}
	has := slices.Contains(scopes, scope) || slices.Contains(roles, any(scope))
	add("scp or roles has "+scope, has, "scp is %q, roles is %v", t.text("scp"), roles)
}

// when describes a claim that is a time.
func (t *parsed) when(d *reader, name string) string {
	at, isTime := t.time(name)
	switch {
	case isTime:
		return fmt.Sprintf("%s is %s UTC, %s", name, at.Format("2006-01-02 15:04:05"), distance(d.now, at))
	case t.claims[name] == nil:
		return "there is no " + name
	}
	return fmt.Sprintf("%s is %v, which is not a time", name, t.claims[name])
}

// orWord returns a text, or the other one if it is empty.
func orWord(text, other string) string {
	if text == "" {
		return other
	}
	return text
}

func word(when bool, text string) string {
	if when {
		return text
	}
	return ""
}

// tenant returns the tenant with an ID. It takes no domain.
func (d *reader) tenant(id string) *directory.Tenant {
	if tenant := d.directory.Tenant(id); tenant != nil && tenant.ID == id {
		return tenant
	}
	return nil
}
