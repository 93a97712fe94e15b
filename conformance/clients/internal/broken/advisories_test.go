package broken_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"mcpentra/conformance/catalogue"
	"mcpentra/conformance/clients/checks"
	"mcpentra/conformance/clients/internal/broken"
)

// TestAdvisoriesHaveTwins wants the twin of each advisory caught by the check that replays it.
func TestAdvisoriesHaveTwins(t *testing.T) {
	t.Parallel()
	caught := caughtBy()
	for _, current := range checks.All() {
		for _, advisory := range catalogue.Advisories() {
			for _, replay := range advisory.Replays {
				if replay.Check != current.ID {
					continue
				}
				red := caught[broken.Fault(replay.Twin)]
				assert.Contains(t, red, current.ID, "%v: a client that %s", advisory.Names, replay.Twin)
			}
		}
	}
}
