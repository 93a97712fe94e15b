package engine_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/engine"
)

func TestSelect(t *testing.T) {
	t.Parallel()
	all := []engine.Check{
		{ID: "server/token/expired", Role: engine.Server, Level: engine.Must},
		{ID: "server/token/scheme-case", Role: engine.Server, Level: engine.Should},
		{ID: "server/tokens", Role: engine.Server, Level: engine.Must},
		{ID: "authorization-server/metadata/found", Role: engine.AuthorizationServer, Level: engine.Must},
	}
	for name, test := range map[string]struct {
		selection engine.Selection
		want      []string
	}{
		"everything":                    {engine.Selection{}, []string{all[0].ID, all[1].ID, all[2].ID, all[3].ID}},
		"one ID":                        {engine.Selection{IDs: []string{"server/tokens"}}, []string{all[2].ID}},
		"a beginning up to a slash":     {engine.Selection{IDs: []string{"server/token"}}, []string{all[0].ID, all[1].ID}},
		"a beginning with the slash":    {engine.Selection{IDs: []string{"server/token/"}}, []string{all[0].ID, all[1].ID}},
		"several, in the checks' order": {engine.Selection{IDs: []string{"authorization-server", "server/tokens"}}, []string{all[2].ID, all[3].ID}},
		"a role":                        {engine.Selection{Roles: []engine.Role{engine.AuthorizationServer}}, []string{all[3].ID}},
		"a level":                       {engine.Selection{Levels: []engine.Level{engine.Should}}, []string{all[1].ID}},
		"all of these at once": {
			engine.Selection{IDs: []string{"server"}, Roles: []engine.Role{engine.Server}, Levels: []engine.Level{engine.Must}}, []string{all[0].ID, all[2].ID},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			selected, err := engine.Select(all, test.selection)
			require.NoError(t, err)
			var got []string
			for _, check := range selected {
				got = append(got, check.ID)
			}
			assert.Equal(t, test.want, got)
		})
	}
	for name, selection := range map[string]engine.Selection{
		"an ID that no check has":         {IDs: []string{"server/token", "server/tokem"}},
		"a beginning that ends mid-word":  {IDs: []string{"server/tok"}},
		"an empty ID":                     {IDs: []string{""}},
		"a role that nobody has":          {Roles: []engine.Role{"browser"}},
		"things that never come together": {IDs: []string{"server/token/expired"}, Levels: []engine.Level{engine.Should}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := engine.Select(all, selection)
			assert.ErrorIs(t, err, engine.ErrNothingSelected)
		})
	}
}

func TestDisruptiveChecksHaveToBeAskedFor(t *testing.T) {
	t.Parallel()
	all := []engine.Check{{ID: "a/quiet"}, {ID: "a/flood", Disruptive: true}}
	selected, err := engine.Select(all, engine.Selection{})
	require.NoError(t, err)
	assert.Len(t, selected, 1)
	selected, err = engine.Select(all, engine.Selection{Disruptive: true})
	require.NoError(t, err)
	assert.Len(t, selected, 2)
	_, err = engine.Select(all, engine.Selection{IDs: []string{"a/flood"}})
	require.ErrorIs(t, err, engine.ErrNothingSelected)
	assert.ErrorContains(t, err, "a/flood is disruptive")
}

func TestSelectRefusesTwoChecksWithOneID(t *testing.T) {
	t.Parallel()
	_, err := engine.Select([]engine.Check{{ID: "a/b"}, {ID: "a/c"}, {ID: "a/b"}}, engine.Selection{IDs: []string{"a/c"}})
	assert.EqualError(t, err, `two checks have the ID "a/b"`)
}
