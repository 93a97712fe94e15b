package state

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"time"

	"mcpentra/fakeentra/aadsts"
	"mcpentra/fakeentra/internal/rules"
)

// A Code is an authorization code with the values of its authorization request.
type Code struct {
	Delegation rules.Delegation
	Redirect   string
	Challenge  string
	Method     string
	Issued     time.Time

	redeemed bool
}

// A RefreshToken belongs to a person and a client. It is valid for every resource.
type RefreshToken struct {
	Delegation rules.Delegation
	Issued     time.Time
	Expiry     time.Time
}

// A grantHash is the key of a code or refresh token. It needs 32 bytes instead of a thousand.
type grantHash [sha256.Size]byte

func hashOf(value string) grantHash { return sha256.Sum256([]byte(value)) }

// AddCode keeps an authorization code.
func (s *State) AddCode(value []byte, code *Code) { s.codes.Add(sha256.Sum256(value), code) }

// Code finds an authorization code.
func (s *State) Code(value string) (*Code, bool) { return s.codes.Get(hashOf(value)) }

// Redeem marks a code as used. It reports false if the code was used before.
func (s *State) Redeem(code *Code) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	isFirst := !code.redeemed
	code.redeemed = true
	return isFirst
}

// CheckVerifier compares a code_verifier with the code_challenge of the request (RFC 7636).
func (c *Code) CheckVerifier(verifier string) *aadsts.Error {
	if c.Challenge == "" {
		return nil
	}
	derived := verifier
	if c.Method == "S256" {
		sum := sha256.Sum256([]byte(verifier))
		derived = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	if verifier == "" || subtle.ConstantTimeCompare([]byte(derived), []byte(c.Challenge)) != 1 {
		return aadsts.VerifierMismatch()
	}
	return nil
}

// AddRefreshToken keeps a refresh token.
func (s *State) AddRefreshToken(value []byte, token *RefreshToken) {
	s.refreshTokens.Add(sha256.Sum256(value), token)
}

// RefreshToken finds a refresh token.
func (s *State) RefreshToken(value string) (*RefreshToken, bool) {
	return s.refreshTokens.Get(hashOf(value))
}
