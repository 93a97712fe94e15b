package token

import "context"

// Issuers verifies the tokens of several issuers, each with the Verifier under its name. The
// verifiers share neither keys nor rules, so one issuer's key proves nothing about another's
// tokens.
type Issuers map[string]*Verifier

// Verify verifies a token with the verifier of the issuer that it names. It returns the errors of
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

// UnverifiedIssuer returns the claim iss of a token without verifying it, or "" if it cannot be
// read. It is for logs only.
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
