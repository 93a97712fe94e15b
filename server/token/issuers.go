package token

import "context"

// Issuers judges the tokens of several issuers, each by the Verifier under its name: neither keys
// nor rules are shared, so that one issuer's key proves nothing about another's tokens.
type Issuers map[string]*Verifier

// Verify judges a token by the rules of the issuer that it names. The errors are those of
// [Verifier.Verify].
func (m Issuers) Verify(ctx context.Context, raw string) (*Claims, error) {
	parsed, invalid := parseCompact(raw)
	if invalid != nil {
		return nil, invalid
	}
	issuer, err := parsed.claims.text("iss")
	if err != nil {
		return nil, &InvalidError{Reason: BadClaims}
	}
	verifier := m[issuer]
	if verifier == nil {
		return nil, &InvalidError{Reason: WrongIssuer, Seen: issuer}
	}
	return verifier.verifyParsed(ctx, raw, parsed)
}

// UnverifiedIssuer is what a token says of its issuer, for a sentence in a log and for no decision;
// "" when it says nothing that can be read.
func UnverifiedIssuer(raw string) string {
	parsed, invalid := parseCompact(raw)
	if invalid != nil {
		return ""
	}
	issuer, err := parsed.claims.text("iss")
	if err != nil {
		return ""
	}
	return issuer
}
