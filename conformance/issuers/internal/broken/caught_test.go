package broken_test

import (
	"mcpentra/conformance/catalogue"
	"mcpentra/conformance/issuers/internal/broken"
)

// caughtBy names the checks that go red for a server with a fault; all others stay green. Several
// checks go red where their rules overlap.
//
// To add a fault, name it and simulate it in this package, and add it to faults.tsv of package
// catalogue. TestChecksCatchFaults then tries it, and make broken tries it with every check.
func caughtBy() map[broken.Fault][]string {
	found := map[broken.Fault][]string{}
	for _, fault := range catalogue.Faults(catalogue.AuthorizationServer) {
		found[broken.Fault(fault.Sentence)] = fault.Checks
	}
	return found
}

// caught is caughtBy for one group of faults.
func caught(group string) map[broken.Fault][]string {
	found := map[broken.Fault][]string{}
	for _, fault := range catalogue.Faults(catalogue.AuthorizationServer) {
		if fault.Group == group {
			found[broken.Fault(fault.Sentence)] = fault.Checks
		}
	}
	return found
}

// breaksFlow are the faults with which no client gets tokens, or revokes them. The control of many
// checks fails.
var breaksFlow = []broken.Fault{
	broken.NamesPlainHTTP,
	broken.HasNoTokenEndpoint,
	broken.BreaksOnCodes,
	broken.RefusesResources,
	broken.RefusesTokensWith500,
	broken.RefusesSecretsInBody,
	broken.RedirectsWith307,
}

// skipped are the checks that do not apply to the server without faults.
var skipped = map[string]bool{
	// Its people sign in at the server itself. TestIssuerWithThirdPartyPasses tries another.
	"authorization-server/third-party/browser":     true,
	"authorization-server/third-party/state":       true,
	"authorization-server/third-party/interleaved": true,
	"authorization-server/third-party/replay":      true,
	"authorization-server/third-party/code":        true,
	"authorization-server/third-party/request":     true,
	"authorization-server/third-party/parameters":  true,
	"authorization-server/third-party/error":       true,
	"authorization-server/third-party/failure":     true,
	"authorization-server/third-party/session":     true,

	"authorization-server/third-party/id-token":       true,
	"authorization-server/third-party/signature":      true,
	"authorization-server/third-party/issuer":         true,
	"authorization-server/third-party/token-response": true,
	"authorization-server/third-party/own-tokens":     true,
	"authorization-server/third-party/hang":           true,
	"authorization-server/third-party/bounded":        true,
	"authorization-server/third-party/metadata":       true,
	"authorization-server/third-party/ended":          true,
}
