package conformance_test

import (
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"

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
