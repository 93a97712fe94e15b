package checks

import (
	"fmt"
	"time"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// tokenFlawsChecks returns the checks of server/token about several flaws at once.
func tokenFlawsChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/token/two-flaws",
				Level:     check.Must,
				Severity:  check.Critical,
				Reference: "RFC 7515 section 5.2; RFC 7519 section 7.2; CVE-2024-51744",
				Sentence:  "A bad signature also counts in a token that has just expired, or that starts soon.",
				Covers:    []string{"RS-037", "RS-051"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    attack.RefusesForged(attack.Unauthorized, tokenTwoFlawsForgeries),
		},
	}
}

// tokenTwoFlawsForgeries returns tokens with the signature of a stranger, and with a time that a
// server may forgive.
func tokenTwoFlawsForgeries(jwt *attack.JWT) []attack.Forgery {
	algorithm, _ := jwt.Header["alg"].(string)
	key := attack.NewSigningKey(algorithm)
	var forgeries []attack.Forgery
	for _, vector := range []struct {
		claim    string
		distance time.Duration
	}{
		{"exp", -5 * time.Second},
		{"exp", -30 * time.Second},
		{"exp", -time.Hour},
		{"nbf", 5 * time.Second},
		{"nbf", 30 * time.Second},
	} {
		forgeries = append(forgeries, attack.Forgery{
			Name:  fmt.Sprintf("a stranger's signature, and %s %s from now", vector.claim, vector.distance),
			Edits: bench.Edits{Key: key, Claims: attack.Member(vector.claim, inSeconds(vector.distance))},
		})
	}
	return forgeries
}

// inSeconds returns a time relative to now, as claims have it.
func inSeconds(distance time.Duration) int64 { return time.Now().Add(distance).Unix() }
