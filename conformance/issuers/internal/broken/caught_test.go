package broken_test

import (
	"maps"

	"mcpentra/conformance/issuers/internal/broken"
)

// caughtBy names the checks that go red for a server with a fault; all others stay green. Several
// checks go red where their rules overlap.
//
// To add a fault, name it and simulate it in this package, and add it to the map of its topic.
// TestChecksCatchFaults then tries it, and make broken tries it with every check.
func caughtBy() map[broken.Fault][]string {
	all := map[broken.Fault][]string{}
	for _, topic := range []map[broken.Fault][]string{
		metadataCaught,
		registrationCaught,
	} {
		maps.Copy(all, topic)
	}
	return all
}

// controls names the checks whose control fails because of a fault.
var controls = map[broken.Fault][]string{}

// skipped are the checks that do not apply to the server without faults.
var skipped = map[string]bool{
	"authorization-server/metadata/signing-algorithms": true,
}

var metadataCaught = map[broken.Fault][]string{
	broken.HasNoMetadata:            {"authorization-server/metadata/published"},
	broken.HasOpenIDMetadataOnly:    {"authorization-server/metadata/rfc8414"},
	broken.ServesMetadataAsText:     {"authorization-server/metadata/media-type"},
	broken.NamesAnotherIssuer:       {"authorization-server/metadata/identical-issuer"},
	broken.HasNoTokenEndpoint:       {"authorization-server/metadata/required-members"},
	broken.HasEmptyArrays:           {"authorization-server/metadata/omits-empty"},
	broken.LacksKeys:                {"authorization-server/metadata/openid-members"},
	broken.AdvertisesNoPKCE:         {"authorization-server/metadata/s256"},
	broken.NamesPlainHTTP:           {"authorization-server/metadata/https"},
	broken.ListsNoSigningAlgorithms: {"authorization-server/metadata/signing-algorithms"},
	broken.AdvertisesPasswords:      {"authorization-server/metadata/no-obsolete-grants"},
	broken.HasQueryInIssuer: {
		"authorization-server/metadata/issuer-form",
		"authorization-server/metadata/identical-issuer",
	},
}

var registrationCaught = map[broken.Fault][]string{
	broken.AnswersRegistrationsWith202: {"authorization-server/registration/response"},
	broken.OmitsSecretExpiry:           {"authorization-server/registration/response"},
	broken.GivesEveryClientSecret:      {"authorization-server/registration/public-secret"},
	broken.RefusesRegistrationsOddly:   {"authorization-server/registration/errors"},
	broken.RefusesUnknownMembers:       {"authorization-server/registration/unknown-members"},
	broken.RegistersScripts:            {"authorization-server/registration/scripts"},
	broken.RegistersFragments:          {"authorization-server/registration/fragment"},
	broken.RegistersPlainHTTP:          {"authorization-server/registration/plain-http"},
	broken.AdoptsClientIDs:             {"authorization-server/registration/chosen-id"},
	broken.ShowsLogos:                  {"authorization-server/registration/links"},
	broken.CachesSecrets:               {"authorization-server/registration/no-store"},
	broken.BreaksOnRegistrations: {
		"authorization-server/registration/errors",
		"authorization-server/registration/malformed",
	},
	broken.HasNoRegistration: {"authorization-server/registration/offered"},
}
