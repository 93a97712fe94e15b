package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// tokenClaims are the readable claims of a JWT: its issuer, user, audience and times.
type tokenClaims struct {
	Issuer    string      `json:"iss"`
	Subject   string      `json:"sub"`
	Tenant    string      `json:"tid"`
	Object    string      `json:"oid"`
	Audience  any         `json:"aud"`
	Expiry    json.Number `json:"exp"`
	NotBefore json.Number `json:"nbf"`
	IssuedAt  json.Number `json:"iat"`
}

// readClaims reads the claims of a JWT, unverified. Of an opaque token it can read none.
func readClaims(token string) (claims tokenClaims, isJWT bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return claims, false
	}
	if _, err := readMembers(parts[0]); err != nil {
		return claims, false
	}
	members, err := readMembers(parts[1])
	if err != nil {
		return claims, false
	}
	// A claim of an unexpected type is left out, and the others are read.
	text := func(name string) string {
		value, _ := members[name].(string)
		return value
	}
	number := func(name string) json.Number {
		value, _ := members[name].(json.Number)
		return value
	}
	return tokenClaims{
		Issuer:    text("iss"),
		Subject:   text("sub"),
		Tenant:    text("tid"),
		Object:    text("oid"),
		Audience:  members["aud"],
		Expiry:    number("exp"),
		NotBefore: number("nbf"),
		IssuedAt:  number("iat"),
	}, true
}

// at returns the time of a numeric claim. It is zero if the claim is missing.
func at(claim json.Number) time.Time {
	seconds, err := claim.Float64()
	if err != nil || seconds <= 0 || seconds > 1<<40 {
		return time.Time{}
	}
	return time.Unix(int64(seconds), 0)
}

// audiences returns the audiences of a token.
func (c *tokenClaims) audiences() []string {
	switch value := c.Audience.(type) {
	case string:
		return []string{value}
	case []any:
		var all []string
		for _, audience := range value {
			if text, ok := audience.(string); ok {
				all = append(all, text)
			}
		}
		return all
	}
	return nil
}

// principal names the user of a token: by tenant and object ID as Entra does, or by issuer and
// subject.
func (c *tokenClaims) principal() string {
	switch {
	case c.Tenant != "" && c.Object != "":
		return "tid " + c.Tenant + ", oid " + c.Object
	case c.Subject != "":
		return "iss " + c.Issuer + ", sub " + c.Subject
	}
	return ""
}

// flaw returns the flaw of a token according to its claims, or "".
func (c *tokenClaims) flaw(now time.Time, named documentNames, endpoint string) string {
	expiry := at(c.Expiry)
	notBefore := at(c.NotBefore)
	switch {
	case !expiry.IsZero() && !expiry.After(now):
		return fmt.Sprintf("it expired %s ago, at %s", round(now.Sub(expiry)), stamp(expiry))
	case notBefore.After(now.Add(time.Minute)):
		return fmt.Sprintf("it is valid only from %s, in %s", stamp(notBefore), round(notBefore.Sub(now)))
	case len(named.issuers) > 0 && c.Issuer != "" && !slices.ContainsFunc(named.issuers, sameURL(c.Issuer)):
		return fmt.Sprintf("its issuer is %s, and the server names %s", c.Issuer, strings.Join(named.issuers, ", "))
	case named.resource != "" && len(c.audiences()) > 0 && !c.isFor(named.resource, endpoint):
		return fmt.Sprintf("its audience is %s, and the server's resource is %s",
			strings.Join(c.audiences(), ", "), named.resource)
	}
	return ""
}

// isFor reports whether one of the token's audiences is the resource or the endpoint.
func (c *tokenClaims) isFor(resource, endpoint string) bool {
	return slices.ContainsFunc(c.audiences(), func(audience string) bool {
		return sameURL(audience)(resource) || sameURL(audience)(endpoint)
	})
}

// sameURL compares URLs without a slash at the end.
func sameURL(address string) func(other string) bool {
	return func(other string) bool {
		return strings.TrimSuffix(address, "/") == strings.TrimSuffix(other, "/")
	}
}

func stamp(when time.Time) string { return when.UTC().Format(time.RFC3339) }

// round shortens a duration for people.
func round(d time.Duration) time.Duration {
	if d > time.Hour {
		return d.Round(time.Minute)
	}
	return d.Round(time.Second)
}

// findTroubles finds the inputs that cannot be used. It reads the readable parts of tokens for
// that. Only tokens that the server serves, or should refuse for another reason, are in doubt.
func (l *looker) findTroubles(ctx context.Context) {
	good, isJWT := readClaims(l.good)
	if l.refused != "" {
		l.blameToken(good, isJWT)
		return
	}
	l.findExpired(ctx, good)
	l.findSameUser(ctx, good, isJWT)
	l.findWrongKey(ctx)
}

// blameToken says why the good token does not work. It is the server's fault only if the token is
// readable and has no flaw, or if the target has the issuer's key.
func (l *looker) blameToken(good tokenClaims, isJWT bool) {
	reason := l.refused
	l.blamed = l.blamed || l.target.Mint == nil
	if isJWT {
		flaw := good.flaw(time.Now(), l.named, l.target.URL)
		isIssuers := slices.ContainsFunc(l.named.issuers, sameURL(good.Issuer))
		isOurs := isIssuers && good.isFor(l.named.resource, l.target.URL)
		if flaw != "" {
			reason += "; " + l.probe.shown(flaw)
		} else if isOurs {
			l.blamed = false
		}
	}
	l.refused = reason
	l.Troubles = append(l.Troubles, Trouble{Token: Good, Reason: reason})
}

// findExpired finds an expired token that has not expired, by the clocks of this machine and of the
// issuer.
func (l *looker) findExpired(ctx context.Context, good tokenClaims) {
	token, claims, ok := l.readToken(ctx, Expired)
	if !ok {
		return
	}
	if token == l.good {
		l.reject(Expired, "the given one is the good token")
		return
	}
	expiry := at(claims.Expiry)
	now := time.Now()
	if issued := at(good.IssuedAt); issued.After(now) {
		now = issued
	}
	if expiry.After(now) {
		l.reject(Expired, fmt.Sprintf("the given one has not expired: it expires at %s, in %s",
			stamp(expiry), round(expiry.Sub(now))))
	}
}

// findSameUser finds a token of another user that belongs to the user of the good token.
func (l *looker) findSameUser(ctx context.Context, good tokenClaims, isJWT bool) {
	token, claims, ok := l.readToken(ctx, OtherUser)
	switch {
	case !ok:
	case token == l.good:
		l.reject(OtherUser, "the given one is the good token")
	case isJWT && good.principal() != "" && claims.principal() == good.principal():
		l.reject(OtherUser, "the given one belongs to the same user ("+good.principal()+")")
	}
}

// readToken gets a token of a kind, and reads its claims.
func (l *looker) readToken(ctx context.Context, kind TokenKind) (token string, claims tokenClaims, ok bool) {
	if l.target.Tokens[kind] == nil {
		return "", claims, false
	}
	token, err := l.probe.Token(ctx, kind)
	if err != nil {
		return "", claims, false // the checks say so
	}
	claims, _ = readClaims(token)
	return token, claims, true
}

// reject notes that an input cannot be used.
func (l *looker) reject(kind TokenKind, reason string) {
	reason = l.probe.shown(reason)
	l.lacking[kind] = reason
	l.Troubles = append(l.Troubles, Trouble{Token: kind, Reason: reason})
}

// findWrongKey finds a key that is not the issuer's: a token signed anew with it does not work.
func (l *looker) findWrongKey(ctx context.Context) {
	if l.target.Mint == nil || l.good == "" || len(l.Spoken) == 0 {
		return
	}
	token, err := l.probe.Mint(ctx, Edits{})
	if err != nil {
		return // the checks say so
	}
	answer, err := l.send(ctx, l.newest(), token, Request{})
	if err != nil || answer.Succeeded() {
		return
	}
	l.badKey = fmt.Sprintf("a token that is signed with the given one is answered with status %d", answer.Status)
	l.Troubles = append(l.Troubles, Trouble{Reason: l.badKey})
}

// documentNames are the names in the protected resource metadata.
type documentNames struct {
	resource string
	issuers  []string
}
