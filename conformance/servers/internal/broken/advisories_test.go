package broken_test

import (
	"maps"
	"testing"

	"github.com/stretchr/testify/assert"

	"mcpentra/conformance/catalogue"
	"mcpentra/conformance/servers/checks"
	"mcpentra/conformance/servers/internal/broken"
)

// TestAdvisoriesHaveTwins wants the twin of each advisory caught by the check that replays it.
func TestAdvisoriesHaveTwins(t *testing.T) {
	t.Parallel()
	caught := caughtBy()
	maps.Copy(caught, caughtAtLeastBy())
	for _, current := range checks.All() {
		for _, advisory := range catalogue.Advisories() {
			for _, replay := range advisory.Replays {
				if replay.Check != current.ID {
					continue
				}
				red := caught[broken.Fault(replay.Twin)]
				assert.Contains(t, red, current.ID, "%v: a server that %s", advisory.Names, replay.Twin)
			}
		}
	}
}
