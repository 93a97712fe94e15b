package broken_test

import (
	"strings"

	"mcpentra/conformance/servers/internal/bench"
	"mcpentra/conformance/servers/internal/broken"
)

// areUnrelated reports whether a fault and a check have nothing in common, so that they are not
// tried together. Faults in the content of tokens, in following keys, and all others are three
// groups. A server that a flood closes, or that ends the sessions of others, is tried with the
// checks of its fault only: it would spoil all others at the same time.
func areUnrelated(fault broken.Fault, current bench.Check) bool {
	switch fault {
	case broken.RefusesAllUnderFlood, broken.SessionsPushOutOthers, broken.RefusesManyConnections:
		return true
	}
	isAbout := func(faults map[broken.Fault][]string) bool {
		_, ok := faults[fault]
		return ok
	}
	isKeyCheck := strings.HasPrefix(current.ID, "server/keys/")
	if isKeyCheck != isAbout(keyCaught) {
		return true
	}
	if isAbout(tokenCaught) {
		return false // these faults affect all requests
	}
	isTokenCheck := strings.HasPrefix(current.ID, "server/token/")
	return isTokenCheck != (isAbout(jwsCaught) || isAbout(claimCaught))
}

var tokenCaught = map[broken.Fault][]string{
	broken.BreaksOnBadTokens: {"server/token/garbage"},
	broken.AcceptsGarbage: {
		"server/token/garbage",
		"server/challenge/invalid-token",
		"server/token/parts",
		"server/token/json-serialization",
		"server/state/not-authentication",
	},
	broken.ChecksNoSignature: {
		"server/token/tampered-signature",
		"server/token/no-algorithm",
		"server/token/degenerate-signature",
		"server/token/embedded-key",
		"server/token/key-address",
		"server/token/certificate-chain",
	},
	broken.AcceptsNoAlgorithm: {"server/token/no-algorithm"},
	broken.AcceptsExpired: {
		"server/token/expired",
		"server/token/expiry-form",
		"server/session/not-authentication",
		"server/stream/reopened",
	},
	broken.AcceptsNotYetValid: {"server/token/not-yet-valid", "server/token/start-form", "server/token/expiry-form"},
	broken.ChecksNoAudience:   {"server/token/foreign-audience", "server/token/lookalike-audience"},
	broken.ChecksNoIssuer:     {"server/token/foreign-issuer", "server/token/lookalike-issuer"},
}

var jwsCaught = map[broken.Fault][]string{
	broken.BreaksOnOddities:         {"server/token/oddities"},
	broken.CallsKeyIDs:              {"server/token/key-id-address"},
	broken.BreaksOnEncryption:       {"server/token/encrypted"},
	broken.BreaksOnNonces:           {"server/token/graph"},
	broken.AcceptsJSONSerialization: {"server/token/json-serialization"},
	broken.IgnoresFurtherParts:      {"server/token/parts"},
	broken.DecodesLeniently:         {"server/token/base64"},
	broken.RepairsHeaders:           {"server/token/header-form"},
	broken.ReadsFirstValue:          {"server/token/claims-form"},
	broken.UsesFirstHeader:          {"server/token/duplicate-header"},
	broken.UsesFirstClaim:           {"server/token/duplicate-claims"},
	broken.IgnoresCaseOfClaims:      {"server/token/case-twins"},
	broken.UsesPublicKeyAsSecret:    {"server/token/symmetric-confusion"},
	broken.SharesGuessableSecret:    {"server/token/guessable-secret"},
	broken.AcceptsOtherAlgorithms:   {"server/token/other-algorithm"},
	broken.AcceptsZeroSignatures:    {"server/token/degenerate-signature", "server/token/tampered-signature"},
	broken.ForgivesSignatures:       {"server/token/two-flaws"},
	broken.TrustsEmbeddedKeys:       {"server/token/embedded-key"},
	broken.TrustsCertificates:       {"server/token/certificate-chain"},
	broken.TrustsKeyAddresses:       {"server/token/key-address"},
	broken.CallsKeyAddresses:        {"server/token/key-address"},
	broken.LooksUpKeysAsFiles:       {"server/token/key-id"},
	broken.IgnoresCritical:          {"server/token/critical-extension"},
	broken.ChecksNoType:             {"server/token/type"},
}

var claimCaught = map[broken.Fault][]string{
	broken.ComparesIssuersLoosely:   {"server/token/lookalike-issuer"},
	broken.ChecksNoTenant:           {"server/token/tenant"},
	broken.CallsTenants:             {"server/token/tenant"},
	broken.IgnoresTokenVersion:      {"server/token/version"},
	broken.AcceptsIDTokens:          {"server/token/id-token", "server/token/issued-id-token"},
	broken.AcceptsClientAssertions:  {"server/token/other-products"},
	broken.IgnoresBinding:           {"server/token/bound"},
	broken.CallsClaimSources:        {"server/token/claim-sources"},
	broken.AcceptsMissingAudience:   {"server/token/missing-audience"},
	broken.ComparesAudiencePrefixes: {"server/token/lookalike-audience"},
	broken.RefusesAudienceArrays:    {"server/token/audience-array"},
	broken.ReadsExpiryLoosely:       {"server/token/expiry-form"},
	broken.ReadsStartLoosely:        {"server/token/start-form"},
	broken.FindsScopeInside:         {"server/token/lookalike-scope"},
	broken.IdentifiesByName:         {"server/token/principal"},
	broken.AcceptsRolesAsScopes:     {"server/token/app-only", "server/token/lookalike-scope"},
	broken.ChecksNoClient:           {"server/token/unlisted-client"},
	broken.AcceptsPublicClients:     {"server/token/public-client"},
}

var keyCaught = map[broken.Fault][]string{
	broken.IgnoresNewKeys: {
		"server/keys/rotation",
		"server/keys/unusable",
		"server/keys/withdrawn",
		"server/keys/herd",
		"server/keys/slot",
		"server/keys/shared-id",
	},
	broken.FetchesUnknownKeysOnce: {"server/keys/slot"},
	broken.IgnoresKeyIssuer:       {"server/keys/issuer", "server/keys/shared-id"},
	broken.KeepsOneKeyPerID:       {"server/keys/shared-id"},
	broken.BreaksOnClocks:         {"server/keys/clock"},
	broken.NeverExpiresKeys:       {"server/keys/withdrawn"},
	broken.NeedsEveryKey:          {"server/keys/unusable"},
	broken.IgnoresKeyUse:          {"server/keys/wrong-use"},
	broken.FetchesForEveryToken:   {"server/keys/flood"},
	broken.RefusesDuringFetch:     {"server/keys/herd"},
	broken.ForgetsKeysInOutage:    {"server/keys/outage", "server/keys/redirect", "server/keys/silence"},
	broken.FollowsKeyRedirects:    {"server/keys/redirect"},
	broken.AcceptsWithoutKeys:     {"server/keys/outage", "server/keys/redirect", "server/keys/silence"},
	broken.RefusesWithoutKeys:     {"server/keys/late", "server/keys/document-silence"},

	broken.TrustsAnyDocument:     {"server/keys/document-issuer"},
	broken.FetchesKeysInTheClear: {"server/keys/document-address"},
	broken.FetchesKeysInside:     {"server/keys/document-address"},
	broken.ForgetsDocuments: {
		"server/keys/document-issuer",
		"server/keys/document-address",
		"server/keys/document-outage",
		"server/keys/document-redirect",
	},
	broken.ReadsDocumentsToTheEnd:  {"server/keys/document-outage"},
	broken.FollowsDocumentRedirect: {"server/keys/document-redirect"},
	broken.WaitsForItsIssuer:       {"server/keys/document-silence", "server/keys/silence"},
}
