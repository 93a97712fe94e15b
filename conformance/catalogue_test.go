package conformance_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/catalogue"
	"mcpentra/conformance/check"
	"mcpentra/conformance/clients"
	"mcpentra/conformance/issuers"
	"mcpentra/conformance/servers"
)

// TestCatalogueIsCovered wants a check for each entry, or a reason why no check tries it, and not
// both. An entry with a reason for a part needs a check for the rest.
func TestCatalogueIsCovered(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, entry := range catalogue.Entries() {
		assert.False(t, known[entry.ID], "%s is listed twice", entry.ID)
		known[entry.ID] = true
		assert.Regexp(t, `^[A-Z].*\.$`, entry.Sentence, entry.ID)
		covering := catalogue.Covering(entry.ID, rules())
		switch {
		case entry.Elsewhere == "":
			assert.NotEmpty(t, covering, "%s has neither a check nor a reason", entry.ID)
		case entry.LeftOut != "":
			assert.NotEmpty(t, covering, "%s leaves out a part, and has no check for the rest", entry.ID)
		case entry.Level != catalogue.May:
			assert.Empty(t, covering, "%s has both a check and a reason", entry.ID)
		}
	}
	// Each entry that a rule covers must exist.
	isEntryID := regexp.MustCompile(`^(server-|client-|as-|RS-|CL-|AS-)`).MatchString
	for _, rule := range rules() {
		for _, id := range rule.Covers {
			assert.True(t, known[id] || !isEntryID(id), "%s covers %s, which is not in the catalogue", rule.ID, id)
		}
	}
}

// TestReasonsNameWhatExists looks for the tests that reasons name in the repository, and for the
// checks that they name in the kit.
func TestReasonsNameWhatExists(t *testing.T) {
	t.Parallel()
	tests := declaredTests(t)
	var ids strings.Builder
	for _, rule := range rules() {
		ids.WriteString(rule.ID + "/\n")
	}
	test := regexp.MustCompile(`\bTest\w+`)
	id := regexp.MustCompile(`\b(server|client|authorization-server)(/[a-z0-9-]+)+`)
	for _, entry := range catalogue.Entries() {
		reason := entry.Elsewhere + entry.LeftOut
		for _, name := range test.FindAllString(reason, -1) {
			assert.True(t, tests[name], "the reason of %s names %s, which no file declares", entry.ID, name)
		}
		for _, name := range id.FindAllString(reason, -1) {
			assert.Contains(t, ids.String(), name+"/", "the reason of %s names a check that does not exist", entry.ID)
		}
	}
}

// TestAdvisoriesAreReplayed wants a check or a test for each advisory, or a reason why nothing
// replays it. The tests beside the broken implementations try that the checks catch the twins.
func TestAdvisoriesAreReplayed(t *testing.T) {
	t.Parallel()
	tests := declaredTests(t)
	checks := map[string]bool{}
	for _, rule := range rules() {
		checks[rule.ID] = true
	}
	known := map[string]bool{}
	for _, advisory := range catalogue.Advisories() {
		for _, name := range advisory.Names {
			assert.False(t, known[name], "%s is listed twice", name)
			known[name] = true
		}
		assert.Regexp(t, `^[A-Z].*\.$`, advisory.Sentence, advisory.Names)
		assert.NotEqual(t, advisory.Elsewhere == "", advisory.Replays == nil,
			"%s needs either a replay or a reason", advisory.Names)
		for _, replay := range advisory.Replays {
			isKnown := checks[replay.Check] || tests[replay.Test]
			assert.True(t, isKnown, "%s names %q, which does not exist", advisory.Names, replay.Check+replay.Test)
		}
	}
}

// TestFaultsNameWhatExists wants a check for each ID, and a constant beside the broken
// implementations for each sentence.
func TestFaultsNameWhatExists(t *testing.T) {
	t.Parallel()
	checks := map[string]bool{}
	for _, rule := range rules() {
		checks[rule.ID] = true
	}
	for role, folder := range map[string]string{
		catalogue.Server:              "servers",
		catalogue.Client:              "clients",
		catalogue.AuthorizationServer: "issuers",
	} {
		constants := map[string]bool{}
		isConstant := regexp.MustCompile(`(?m)^(?:\t|const )\w+\s+(?:Fault\s+)?= ("[^\n]+")$`)
		for _, name := range tracked(t, "conformance/"+folder+"/internal/broken/*.go") {
			text, err := os.ReadFile(filepath.Join("..", name))
			require.NoError(t, err)
			for _, found := range isConstant.FindAllSubmatch(text, -1) {
				value, err := strconv.Unquote(string(found[1]))
				require.NoError(t, err)
				constants[value] = true
			}
		}
		for _, fault := range catalogue.Faults(role) {
			assert.True(t, constants[fault.Sentence], "%s: nothing simulates %q", role, fault.Sentence)
			assert.Regexp(t, `^[a-z].*[^.]$`, fault.Sentence)
			for _, id := range fault.Checks {
				assert.True(t, checks[id], "%q names the check %s, which does not exist", fault.Sentence, id)
			}
		}
	}
}

// TestEveryCheckSaysHowTested wants sentences for each check, and no others.
func TestEveryCheckSaysHowTested(t *testing.T) {
	t.Parallel()
	checks := map[string]bool{}
	for _, rule := range rules() {
		checks[rule.ID] = true
		assert.Regexp(t, `^[A-Z].*\.$`, catalogue.HowTested(rule.ID), rule.ID)
	}
	for _, id := range catalogue.Tested() {
		assert.True(t, checks[id], "tests.tsv describes the check %s, which does not exist", id)
	}
}

// TestEveryTopicHasFix wants a fix for the topic of each check, and no other fixes.
func TestEveryTopicHasFix(t *testing.T) {
	t.Parallel()
	topics := map[string]bool{}
	for _, rule := range rules() {
		topics[catalogue.Topic(rule.ID)] = true
		fix, found := catalogue.FixFor(rule.ID)
		assert.True(t, found, "%s has no fix for its topic", rule.ID)
		assert.Regexp(t, `^[A-Z].*\.$`, fix.Change, rule.ID)
	}
	for topic := range catalogue.Fixes() {
		assert.True(t, topics[topic], "there is a fix for %s, and no check of that topic", topic)
	}
}

// declaredTests returns the names of all tests of the repository.
func declaredTests(t *testing.T) map[string]bool {
	t.Helper()
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	tests := map[string]bool{}
	for _, name := range tracked(t, "*_test.go") {
		text, err := os.ReadFile(filepath.Join("..", name))
		require.NoError(t, err)
		for _, found := range declared.FindAllSubmatch(text, -1) {
			tests[string(found[1])] = true
		}
	}
	return tests
}

// rules returns the rules of all checks.
func rules() []check.Rule {
	var all []check.Rule
	for _, tried := range servers.Checks() {
		all = append(all, tried.Rule)
	}
	for _, tried := range issuers.Checks() {
		all = append(all, tried.Rule)
	}
	for _, tried := range clients.Checks() {
		all = append(all, tried.Rule)
	}
	return all
}
