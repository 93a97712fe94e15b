package verify_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/internal/differences"
	"mcpentra/fakeentra/internal/verify"
)

// A fake with twenty differences differs in exactly these facts.
func TestDifferencesAreFound(t *testing.T) {
	t.Parallel()
	d := otherDirectory()
	d.Differences = differences.Names()
	require.Len(t, d.Differences, 20)
	server := otherFake(t, d)
	assert.ElementsMatch(t, d.Differences, drifts(t, compareWith(t, server, server.Client())))
}

// The same differences are in a recording of the traffic, and none in the recording of an identical
// fake. The recordings hold no secret, ID or name.
func TestDifferencesAreFoundInARecording(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		names []string
	}{{"different", differences.Names()}, {"identical", nil}} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			d := otherDirectory()
			d.Differences = test.names
			server := fakeentra.NewTLSServer(fakeentra.Config{Directory: d})
			t.Cleanup(server.Close)
			r := newRecorder(t, server.URL, server.Client().Transport)
			requests, _ := list(t)
			settings := verify.Settings{Tenant: otherTenant, Client: otherClient, Secret: otherSecret}
			tenant := verify.NewSide(r.client, server.URL, server.URL, settings)
			answers := verify.Ask(t.Context(), requests, tenant, 2, verify.Pace{SignIn: person(server)})
			require.Len(t, answers, len(requests))
			for _, secret := range []string{
				otherTenant, otherClient, otherSecret, "abrikam", "Neil", "eyJ", "bbbbbbbb-", "aaaaaaaa-",
				"Verification of another", "access_as_user", "junk-secret", "some-state",
			} {
				assert.NotContains(t, r.text(t), secret)
			}
			assert.ElementsMatch(t, test.names, drifts(t, r.results(t)))
		})
	}
}
