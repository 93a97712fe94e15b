package broken_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"mcpentra/conformance/check"
	"mcpentra/conformance/servers/checks"
	"mcpentra/conformance/servers/internal/bench"
	"mcpentra/conformance/servers/internal/broken"
)

// conforming names the checks that went red for a conforming variant once.
var conforming = map[broken.Fault][]string{
	broken.AnswersOthersWith501: {
		"server/challenge/without-token",
		"server/credentials/method-override",
	},
	broken.AnswersOthersWith404: {
		"server/challenge/without-token",
		"server/credentials/method-override",
		"server/origin/foreign",
		"server/origin/checked",
		"server/session/ended",
		"server/session/ending-needs-token",
		"server/stream/needs-token",
	},
	broken.HidesMetadataFromOthers: {"server/metadata/own-name"},
	broken.AllowsAllHeaders:        {"server/metadata/pages"},
	broken.IsItsOrigin: {
		"server/metadata/found",
		"server/metadata/path-form",
		"server/metadata/resource",
		"server/metadata/signed",
	},
	broken.SignsWithoutResource:   {"server/metadata/signed"},
	broken.RefusesChunkExtensions: {"server/http/framing"},
	broken.IgnoresByteOrderMarks:  {"server/token/header-form", "server/token/claims-form"},
	broken.ReadsExpiryAsText:      {"server/token/expiry-form"},
	broken.HasManyAddresses:       {"server/host/foreign"},
	broken.AllowsOwnPages:         {"server/origin/foreign", "server/origin/checked"},
	broken.ParsesSlowly:           {"server/limits/linear"},
	broken.AnswersPingsSlowly:     {"server/limits/slow-reading"},
	broken.IgnoresKeyIDs:          {"server/token/duplicate-header"},
	broken.RefusesModernSessions:  {"server/modern/no-sessions"},
	broken.IgnoresRequestState: {
		"server/request-state/altered",
		"server/request-state/one-request",
		"server/request-state/other-user",
		"server/request-state/once",
	},
	broken.NamesToolsLikeErrors: {"server/refusal/no-data"},
	broken.ServesMachinesOnly:   {"authorization-server/metadata/members"},
	broken.SharesSessions:       {"server/token/principal"},
}

// otherwiseRed are the servers of conforming for which other checks go red rightly.
var otherwiseRed = []broken.Fault{broken.SharesSessions, broken.ServesMachinesOnly}

func TestConformingVariantsPass(t *testing.T) {
	t.Parallel()
	forEach(t, conforming, func(t *testing.T, variant broken.Fault, ids []string) {
		selected := slices.DeleteFunc(checks.All(), func(current bench.Check) bool {
			isRed := slices.Contains(otherwiseRed, variant) || slices.Contains(newestOnly, current.ID)
			isOptional := !isFullMatrix() || isSlow(current) || strings.HasPrefix(current.ID, "server/keys/")
			return (isRed || isOptional) && !slices.Contains(ids, current.ID)
		})
		for id, result := range runAll(t, start(t, variant).Target(), selected) {
			assert.Contains(t, []check.Verdict{check.Pass, check.Skip}, result.Verdict, "%s: %v", id, result.Err)
		}
	})
}
