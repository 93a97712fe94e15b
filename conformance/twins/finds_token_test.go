package twins_test

import (
	"strings"

	"mcpentra/conformance/engine"
	"mcpentra/conformance/twins"
)

// apart reports whether a fault and a check are about things so far apart that they are not tried with each other: what is made of a token's
// content, how keys are followed, and all the rest. A server that a flood closes is closed to the checks beside the flood's.
func apart(fault twins.Fault, check engine.Check) bool {
	if fault == twins.RefusesAllUnderFlood {
		return true
	}
	topic := ""
	for prefix, finds := range map[string][]map[twins.Fault][]string{"server/token/": {jwsFinds, claimFinds}, "server/keys/": {keyFinds}} {
		for _, one := range finds {
			if _, there := one[fault]; there {
				topic = prefix
			}
		}
		if _, there := tokenFinds[fault]; there && prefix == "server/token/" {
			continue // of both
		} else if strings.HasPrefix(check.ID, prefix) != (topic == prefix) {
			return true
		}
	}
	return false
}

var tokenFinds = map[twins.Fault][]string{
	twins.AcceptsGarbage: {"server/token/garbage", "server/challenge/invalid-token", "server/token/parts", "server/token/json-serialization", "server/state/not-authentication"},
	twins.ChecksNoSignature: {
		"server/token/tampered-signature", "server/token/no-algorithm", "server/token/degenerate-signature", "server/token/embedded-key", "server/token/key-address",
		"server/token/certificate-chain",
	},
	twins.AcceptsNoAlgorithm: {"server/token/no-algorithm"},
	twins.AcceptsExpired:     {"server/token/expired", "server/token/expiry-form", "server/session/not-authentication"},
	twins.AcceptsNotYetValid: {"server/token/not-yet-valid", "server/token/start-form", "server/token/expiry-form"},
	twins.ChecksNoAudience:   {"server/token/foreign-audience", "server/token/lookalike-audience"},
	twins.ChecksNoIssuer:     {"server/token/foreign-issuer", "server/token/lookalike-issuer"},
}

var jwsFinds = map[twins.Fault][]string{
	twins.BreaksOnEncryption:     {"server/token/encrypted"},
	twins.BreaksOnNonces:         {"server/token/graph"},
	twins.TakesJSONSerialization: {"server/token/json-serialization"},
	twins.IgnoresFurtherParts:    {"server/token/parts"},
	twins.DecodesLeniently:       {"server/token/base64"},
	twins.RepairsHeaders:         {"server/token/header-form"},
	twins.ReadsFirstValue:        {"server/token/claims-form"},
	twins.TakesFirstHeader:       {"server/token/duplicate-header"},
	twins.TakesFirstClaim:        {"server/token/duplicate-claims"},
	twins.IgnoresCaseOfClaims:    {"server/token/case-twins"},
	twins.TakesPublicKeyAsSecret: {"server/token/symmetric-confusion"},
	twins.TakesOtherAlgorithms:   {"server/token/other-algorithm"},
	twins.AcceptsZeroSignatures:  {"server/token/degenerate-signature", "server/token/tampered-signature"},
	twins.BelievesEmbeddedKeys:   {"server/token/embedded-key"},
	twins.BelievesCertificates:   {"server/token/certificate-chain"},
	twins.BelievesKeyAddresses:   {"server/token/key-address"},
	twins.CallsKeyAddresses:      {"server/token/key-address"},
	twins.LooksUpKeysAsFiles:     {"server/token/key-id"},
	twins.IgnoresCritical:        {"server/token/critical-extension"},
	twins.ChecksNoType:           {"server/token/type"},
}

var claimFinds = map[twins.Fault][]string{
	twins.ComparesIssuersLoosely:   {"server/token/lookalike-issuer"},
	twins.ChecksNoTenant:           {"server/token/tenant"},
	twins.CallsTenants:             {"server/token/tenant"},
	twins.IgnoresTokenVersion:      {"server/token/version"},
	twins.TakesIDTokens:            {"server/token/id-token"},
	twins.TakesClientAssertions:    {"server/token/other-products"},
	twins.IgnoresBinding:           {"server/token/bound"},
	twins.CallsClaimSources:        {"server/token/claim-sources"},
	twins.TakesTokensForNobody:     {"server/token/missing-audience"},
	twins.ComparesAudiencePrefixes: {"server/token/lookalike-audience"},
	twins.WantsAudienceAsText:      {"server/token/audience-array"},
	twins.ReadsExpiryLoosely:       {"server/token/expiry-form"},
	twins.ReadsStartLoosely:        {"server/token/start-form"},
	twins.FindsScopeInside:         {"server/token/lookalike-scope"},
	twins.KnowsPeopleByName:        {"server/token/principal"},
	twins.TakesRolesForScopes:      {"server/token/app-only", "server/token/lookalike-scope"},
	twins.ChecksNoClient:           {"server/token/unlisted-client"},
	twins.TakesPublicClients:       {"server/token/public-client"},
}

var keyFinds = map[twins.Fault][]string{
	twins.FindsNoNewKeys:      {"server/keys/rotation", "server/keys/unusable", "server/keys/withdrawn", "server/keys/herd", "server/keys/slot", "server/keys/shared-id"},
	twins.AsksOnceForAll:      {"server/keys/slot"},
	twins.IgnoresKeyIssuer:    {"server/keys/issuer", "server/keys/shared-id"},
	twins.KeepsOneKeyPerID:    {"server/keys/shared-id"},
	twins.BreaksOnClocks:      {"server/keys/clock"},
	twins.KeepsKeysForEver:    {"server/keys/withdrawn"},
	twins.NeedsEveryKey:       {"server/keys/unusable"},
	twins.IgnoresKeyUse:       {"server/keys/wrong-use"},
	twins.AsksForEveryToken:   {"server/keys/flood"},
	twins.LosesTheHerd:        {"server/keys/herd"},
	twins.ForgetsKeysInOutage: {"server/keys/outage", "server/keys/redirect"},
	twins.FollowsKeyRedirects: {"server/keys/redirect"},
	twins.RefusesWithoutKeys:  {"server/keys/late", "server/keys/document-silence"},

	twins.BelievesAnyDocument:     {"server/keys/document-issuer"},
	twins.FetchesKeysInTheClear:   {"server/keys/document-address"},
	twins.FetchesKeysInside:       {"server/keys/document-address"},
	twins.ForgetsDocuments:        {"server/keys/document-issuer", "server/keys/document-address", "server/keys/document-outage", "server/keys/document-redirect"},
	twins.ReadsDocumentsToTheEnd:  {"server/keys/document-outage"},
	twins.FollowsDocumentRedirect: {"server/keys/document-redirect"},
	twins.WaitsForItsIssuer:       {"server/keys/document-silence"},
}
