package graph

import (
	"encoding/base64"
	"fmt"
	"time"
)

// revokedMessage is the sentence in the answer to a revoked token (L: the code of all events).
const revokedMessage = "Continuous access evaluation resulted in challenge with result: InteractionRequired " +
	"and code: TokenIssuedBeforeRevocationTimestamp"

// Revoked refuses a token with continuous access evaluation that was revoked. It asks for a new
// sign-in after now, as recorded in September 2024. A nonce adds the challenge for proof of
// possession.
func Revoked(now time.Time, nonce string) *Refusal {
	claims := base64.StdEncoding.EncodeToString([]byte(ClaimsChallenge(now)))
	return &Refusal{
		Message:   revokedMessage,
		Challenge: `error_description="` + revokedMessage + `", error="insufficient_claims", claims="` + claims + `"`,
		PoPNonce:  nonce,
	}
}

// ClaimsChallenge returns the parameter claims of a challenge for a token from after a moment. It
// has the form that Graph sends, with one blank.
func ClaimsChallenge(after time.Time) string {
	return fmt.Sprintf(`{"access_token":{"nbf":{"essential":true, "value":"%d"}}}`, after.Unix())
}
