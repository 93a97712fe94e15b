package checks

import (
	"slices"

	"mcpentra/conformance/engine"
)

// All are the checks there are, in the order in which they read best.
func All() []engine.Check {
	return slices.Concat(
		challenge(), resourceMetadata(), issuerMetadata(), registration(), issuerClients(),
		credentials(), caller(), refusal(),
		token(), tokenAlgorithm(), tokenHeader(), tokenForm(), tokenIssuer(), tokenClaims(), keys(), discoveryDocument(),
		scope(), origin(), message(), session(), stream(), answer(), state(), requestState(), task(), list(), passthrough(), httpLayer(), http2(),
	)
}
