package conformance_test

import (
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"

	"mcpentra/conformance/catalogue"
	"mcpentra/conformance/check"
	"mcpentra/conformance/clients"
	"mcpentra/conformance/servers"
)

// TestTheCatalogueIsCovered holds every entry to be tried by a check or to say why not, and never
// both.
func TestTheCatalogueIsCovered(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, entry := range catalogue.Entries() {
		assert.False(t, known[entry.ID], "%s is there twice", entry.ID)
		known[entry.ID] = true
		assert.Regexp(t, `^[A-Z].*\.$`, entry.Sentence, entry.ID)
		covering := catalogue.Covering(entry.ID, rules())
		switch {
		case entry.Elsewhere == "":
			assert.NotEmpty(t, covering, "%s is tried by no check, and says no reason", entry.ID)
		case entry.Level != catalogue.May:
			assert.Empty(t, covering, "%s says that no check tries it", entry.ID)
		}
	}
	// What checks say that they try has to be there.
	about := regexp.MustCompile(`^(server-|client-|RS-|CL-)`)
	for _, rule := range rules() {
		for _, id := range rule.Covers {
			assert.True(t, known[id] ||
				!about.MatchString(id), "%s covers %s, which is not in the catalogue", rule.ID, id)
		}
	}
}

// rules are those of all checks.
func rules() []check.Rule {
	var all []check.Rule
	for _, tried := range servers.Checks() {
		all = append(all, tried.Rule)
	}
	for _, tried := range clients.Checks() {
		all = append(all, tried.Rule)
	}
	return all
}
