package check_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/check"
)

func TestSelect(t *testing.T) {
	t.Parallel()
	all := []check.Rule{
		{ID: "server/token/expired", Level: check.Must},
		{ID: "server/token/scheme-case", Level: check.Should},
		{ID: "server/tokens", Level: check.Must},
		{ID: "authorization-server/metadata/found", Level: check.Must},
	}
	for _, test := range []struct {
		name      string
		selection check.Selection
		want      []string
	}{
		{"everything", check.Selection{}, []string{all[0].ID, all[1].ID, all[2].ID, all[3].ID}},
		{"one ID", check.Selection{IDs: []string{"server/tokens"}}, []string{all[2].ID}},
		{
			"a beginning up to a slash",
			check.Selection{IDs: []string{"server/token"}},
			[]string{all[0].ID, all[1].ID},
		},
		{
			"a beginning with the slash",
			check.Selection{IDs: []string{"server/token/"}},
			[]string{all[0].ID, all[1].ID},
		},
		{
			"several, in the checks' order",
			check.Selection{IDs: []string{"authorization-server", "server/tokens"}},
			[]string{all[2].ID, all[3].ID},
		},
		{
			"a role",
			check.Selection{Roles: []string{"authorization-server"}},
			[]string{all[3].ID},
		},
		{"a level", check.Selection{Levels: []check.Level{check.Should}}, []string{all[1].ID}},
		{
			"all of these at once",
			check.Selection{IDs: []string{"server"}, Roles: []string{"server"}, Levels: []check.Level{check.Must}},
			[]string{all[0].ID, all[2].ID},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			selected, err := check.Select(all, test.selection)
			require.NoError(t, err)
			var got []string
			for _, rule := range selected {
				got = append(got, rule.ID)
			}
			assert.Equal(t, test.want, got)
		})
	}
	for _, test := range []struct {
		name      string
		selection check.Selection
	}{
		{"an ID that no check has", check.Selection{IDs: []string{"server/token", "server/tokem"}}},
		{"a beginning that ends mid-word", check.Selection{IDs: []string{"server/tok"}}},
		{"an empty ID", check.Selection{IDs: []string{""}}},
		{"a role that no check has", check.Selection{Roles: []string{"browser"}}},
		{
			"an ID and a level that exclude each other",
			check.Selection{IDs: []string{"server/token/expired"}, Levels: []check.Level{check.Should}},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := check.Select(all, test.selection)
			assert.ErrorIs(t, err, check.ErrNothingSelected)
		})
	}
}

func TestSelectSkipsDisruptiveChecks(t *testing.T) {
	t.Parallel()
	all := []check.Rule{{ID: "a/quiet"}, {ID: "a/flood", Disruptive: true}}
	selected, err := check.Select(all, check.Selection{})
	require.NoError(t, err)
	assert.Len(t, selected, 1)
	selected, err = check.Select(all, check.Selection{Disruptive: true})
	require.NoError(t, err)
	assert.Len(t, selected, 2)
	_, err = check.Select(all, check.Selection{IDs: []string{"a/flood"}})
	require.ErrorIs(t, err, check.ErrNothingSelected)
	assert.ErrorContains(t, err, "a/flood is disruptive")
}

func TestSelectRefusesTwoChecksWithOneID(t *testing.T) {
	t.Parallel()
	_, err := check.Select([]check.Rule{{ID: "a/b"}, {ID: "a/c"}, {ID: "a/b"}}, check.Selection{IDs: []string{"a/c"}})
	assert.EqualError(t, err, `two checks have the ID "a/b"`)
}
