package broker

import "fmt"

// A ClientPolicy decides which clients can use the broker, and how. The zero value lets every
// client register itself.
type ClientPolicy struct {
	// File names a JSON file with the clients that the operator registers. People's browsers
	// return to their redirect URIs without a click. The broker reads the file again while it runs,
	// and refuses a file that other users can write. Empty means no client.
	File string
	// Documents decides about clients whose ID is the URL of their metadata.
	Documents DocumentPolicy
	// Registration limits the clients that register themselves.
	Registration RegistrationPolicy
	// PrivateUse are the redirect URIs with a private-use scheme (RFC 8252 section 7.1) that
	// clients can register, character by character. Nil means KnownPrivateUse. An empty list means
	// none.
	PrivateUse []string
	// TokenEndpointAudience also accepts the URL of the token endpoint as the audience of a
	// client's assertion (RFC 7523). Otherwise the audience is the issuer alone, so that no other
	// server can use the assertion (draft-ietf-oauth-rfc7523bis).
	TokenEndpointAudience bool
}

// withDefaults checks the policy.
func (p ClientPolicy) withDefaults() (ClientPolicy, error) {
	if p.PrivateUse == nil {
		p.PrivateUse = KnownPrivateUse()
	}
	for _, uri := range p.PrivateUse {
		if !isPrivateUse(uri) {
			return p, fmt.Errorf("broker: %s: %q has no private-use scheme", settingPrivateUse, seenURL(uri))
		}
		if err := checkPrivateUse(uri); err != nil {
			return p, fmt.Errorf("broker: %s: %s: %w", settingPrivateUse, seenURL(uri), err)
		}
	}
	if err := p.Registration.check(); err != nil {
		return p, fmt.Errorf("broker: %s: %w", settingRegistration, err)
	}
	return p, nil
}
