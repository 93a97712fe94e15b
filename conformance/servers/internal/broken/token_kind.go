package broken

import "mcpentra/conformance/servers/internal/bench"

// Faults in telling access tokens from others.
const (
	AcceptsRefreshTokens Fault = "accepts refresh tokens"
	ForgetsRevocation    Fault = "accepts revoked tokens"
)

// tokenUse marks refresh tokens.
const tokenUse = "token_use"

// otherKinds returns the differences between access tokens and other tokens of a sign-in.
func otherKinds(issuer string) map[bench.TokenKind]bench.Edits {
	isJWT := func(header map[string]any) { header["typ"] = "JWT" }
	return map[bench.TokenKind]bench.Edits{
		bench.RefreshToken: {
			Header: isJWT,
			Claims: func(c map[string]any) {
				c["aud"] = issuer
				c[tokenUse] = "refresh"
			},
		},
		bench.IDToken: {
			Header: isJWT,
			Claims: func(c map[string]any) {
				c["aud"] = c["client_id"]
				c["nonce"] = "of the sign-in"
				delete(c, "scope")
			},
		},
	}
}

// isRefreshToken reports whether the claims are of a refresh token.
func isRefreshToken(token *jws) bool { return token.claims[tokenUse] == "refresh" }

// revoke revokes a token.
func (s *Server) revoke(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.revoked[token] = true
}

// isRevoked reports whether a token was revoked.
func (s *Server) isRevoked(token string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.revoked[token] && !s.has(ForgetsRevocation)
}
