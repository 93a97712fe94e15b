package checks

import (
	"context"
	"fmt"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/internal/attack"
	"mcpentra/conformance/servers/internal/bench"
)

// tokenKeyAddressChecks returns the checks of server/token about key IDs that are addresses.
func tokenKeyAddressChecks() []bench.Check {
	return []bench.Check{
		{
			Rule: check.Rule{
				ID:        "server/token/key-id-address",
				Level:     check.Should,
				Severity:  check.High,
				Reference: "RFC 8725 section 3.10; RFC 7515 section 4.1.4",
				Sentence:  "The server does not call an address in the key ID of a token.",
				Covers:    []string{"RS-027"},
			},
			Tokens: []bench.TokenKind{bench.Good},
			Run:    attack.WithJWT(tokenKeyIDAddress),
		},
	}
}

// tokenKeyIDAddress names a trap in the key ID.
func tokenKeyIDAddress(ctx context.Context, p *bench.Probe, trial *bench.Trial, jwt *attack.JWT) error {
	key := attack.NewKey()
	trap, err := attack.NewTrap(attack.JSON(map[string]any{"keys": []any{jwk(key, attack.Text(jwt.Header, "kid"))}}))
	if err != nil {
		return err
	}
	defer trap.Close()
	forgeries := []attack.Forgery{{
		Name:     "the address of a key set as kid",
		Edits:    bench.Edits{Algorithm: "ES256", Key: key, Header: attack.Member("kid", trap.URL+"/keys")},
		Level:    check.Must,
		Severity: check.Critical,
	}}
	if err := attack.TryForgeries(ctx, p, trial, attack.Unauthorized, forgeries); err != nil {
		return err
	}
	if hits := trap.Hits.Load(); hits > 0 {
		return p.Mismatch("no request to the address in the key ID", fmt.Sprintf("%d requests", hits))
	}
	return nil
}
