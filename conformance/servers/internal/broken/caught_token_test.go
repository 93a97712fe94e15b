package broken_test

import (
	"strings"

	"mcpentra/conformance/servers/internal/bench"
	"mcpentra/conformance/servers/internal/broken"
)

// apart reports whether a fault and a check are about things so far apart that they are not tried
// with each other: what is made of a token's content, how keys are followed, and all the rest. A
// server that a flood closes is closed to the checks beside the flood's.
func apart(fault broken.Fault, check bench.Check) bool {
	if fault == broken.RefusesAllUnderFlood {
		return true
	}
	topic := ""
	for prefix, topics := range map[string][]map[broken.Fault][]string{
		"server/token/": {jwsCaught, claimCaught},
		"server/keys/":  {keyCaught},
	} {
		for _, one := range topics {
			if _, there := one[fault]; there {
				topic = prefix
			}
		}
		if _, there := tokenCaught[fault]; there && prefix == "server/token/" {
			continue // of both
		} else if strings.HasPrefix(check.ID, prefix) != (topic == prefix) {
			return true
		}
	}
	return false
}

var tokenCaught = map[broken.Fault][]string{
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
	broken.BreaksOnEncryption:     {"server/token/encrypted"},
	broken.BreaksOnNonces:         {"server/token/graph"},
	broken.TakesJSONSerialization: {"server/token/json-serialization"},
	broken.IgnoresFurtherParts:    {"server/token/parts"},
	broken.DecodesLeniently:       {"server/token/base64"},
	broken.RepairsHeaders:         {"server/token/header-form"},
	broken.ReadsFirstValue:        {"server/token/claims-form"},
	broken.TakesFirstHeader:       {"server/token/duplicate-header"},
	broken.TakesFirstClaim:        {"server/token/duplicate-claims"},
	broken.IgnoresCaseOfClaims:    {"server/token/case-twins"},
	broken.TakesPublicKeyAsSecret: {"server/token/symmetric-confusion"},
	broken.TakesOtherAlgorithms:   {"server/token/other-algorithm"},
	broken.AcceptsZeroSignatures:  {"server/token/degenerate-signature", "server/token/tampered-signature"},
	broken.BelievesEmbeddedKeys:   {"server/token/embedded-key"},
	broken.BelievesCertificates:   {"server/token/certificate-chain"},
	broken.BelievesKeyAddresses:   {"server/token/key-address"},
	broken.CallsKeyAddresses:      {"server/token/key-address"},
	broken.LooksUpKeysAsFiles:     {"server/token/key-id"},
	broken.IgnoresCritical:        {"server/token/critical-extension"},
	broken.ChecksNoType:           {"server/token/type"},
}

var claimCaught = map[broken.Fault][]string{
	broken.ComparesIssuersLoosely:   {"server/token/lookalike-issuer"},
	broken.ChecksNoTenant:           {"server/token/tenant"},
	broken.CallsTenants:             {"server/token/tenant"},
	broken.IgnoresTokenVersion:      {"server/token/version"},
	broken.TakesIDTokens:            {"server/token/id-token"},
	broken.TakesClientAssertions:    {"server/token/other-products"},
	broken.IgnoresBinding:           {"server/token/bound"},
	broken.CallsClaimSources:        {"server/token/claim-sources"},
	broken.TakesTokensForNobody:     {"server/token/missing-audience"},
	broken.ComparesAudiencePrefixes: {"server/token/lookalike-audience"},
	broken.WantsAudienceAsText:      {"server/token/audience-array"},
	broken.ReadsExpiryLoosely:       {"server/token/expiry-form"},
	broken.ReadsStartLoosely:        {"server/token/start-form"},
	broken.FindsScopeInside:         {"server/token/lookalike-scope"},
	broken.KnowsPeopleByName:        {"server/token/principal"},
	broken.TakesRolesForScopes:      {"server/token/app-only", "server/token/lookalike-scope"},
	broken.ChecksNoClient:           {"server/token/unlisted-client"},
	broken.TakesPublicClients:       {"server/token/public-client"},
}

var keyCaught = map[broken.Fault][]string{
	broken.FindsNoNewKeys: {
		"server/keys/rotation",
		"server/keys/unusable",
		"server/keys/withdrawn",
		"server/keys/herd",
		"server/keys/slot",
		"server/keys/shared-id",
	},
	broken.AsksOnceForAll:      {"server/keys/slot"},
	broken.IgnoresKeyIssuer:    {"server/keys/issuer", "server/keys/shared-id"},
	broken.KeepsOneKeyPerID:    {"server/keys/shared-id"},
	broken.BreaksOnClocks:      {"server/keys/clock"},
	broken.KeepsKeysForEver:    {"server/keys/withdrawn"},
	broken.NeedsEveryKey:       {"server/keys/unusable"},
	broken.IgnoresKeyUse:       {"server/keys/wrong-use"},
	broken.AsksForEveryToken:   {"server/keys/flood"},
	broken.LosesTheHerd:        {"server/keys/herd"},
	broken.ForgetsKeysInOutage: {"server/keys/outage", "server/keys/redirect"},
	broken.FollowsKeyRedirects: {"server/keys/redirect"},
	broken.RefusesWithoutKeys:  {"server/keys/late", "server/keys/document-silence"},

	broken.BelievesAnyDocument:   {"server/keys/document-issuer"},
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
	broken.WaitsForItsIssuer:       {"server/keys/document-silence"},
}
