package discovery

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"mcpentra/client/internal/printable"
)

// ErrNoPKCE says that an authorization server does not advertise PKCE with S256. The client has to
// stop there (MCP 2025-11-25, Authorization Code Protection).
var ErrNoPKCE = errors.New("the authorization server does not advertise PKCE with S256 " +
	"in code_challenge_methods_supported; a sign-in there would not be protected")

// CheckCodeFlow returns an error if no person should be sent to an authorization server: it does
// not support the authorization code flow, or does not advertise PKCE with S256, which is
// ErrNoPKCE.
//
// If unadvertised is set, an issuer without code_challenge_methods_supported passes: Entra ID
// supports PKCE but does not say so. The client uses PKCE in any case.
func (i *Issuer) CheckCodeFlow(unadvertised bool) error {
	switch {
	case i.AuthorizationEndpoint == "":
		return fmt.Errorf(
			"discovery: want an authorization_endpoint in %s, got none: no person can sign in there",
			i.Location,
		)
	case len(i.ResponseTypes) > 0 && !slices.Contains(i.ResponseTypes, "code"):
		return fmt.Errorf(
			"discovery: want code among the response_types_supported in %s, got %q",
			i.Location,
			printable.Text(strings.Join(i.ResponseTypes, " ")),
		)
	}
	isSilent := len(i.ChallengeMethods) == 0
	switch {
	case slices.Contains(i.ChallengeMethods, "S256"), isSilent && (unadvertised || i.Legacy):
		return nil
	case isSilent:
		const hint = "if it is Entra ID, set --entra-unadvertised-pkce (Entra.UnadvertisedPKCE)"
		return fmt.Errorf("discovery: %s: %w; %s", i.Location, ErrNoPKCE, hint)
	}
	return fmt.Errorf("discovery: %s: %w", i.Location, ErrNoPKCE)
}
