package directory_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra/directory"
)

func TestPropertiesOfOptionalClaims(t *testing.T) {
	t.Parallel()
	const start = "tenants:\n- id: 5a1e0001-0000-4000-8000-000000000001\n" +
		"  apps:\n  - displayName: A\n    optionalClaims:\n"
	file, err := directory.Parse("d.yaml", []byte(start+
		"      accessToken: [upn, aud]\n"+
		"      additionalProperties:\n"+
		"        upn: [include_externally_authenticated_upn]\n"+
		"        aud: [use_guid]\n"))
	require.NoError(t, err)
	app := file.Tenants[0].Apps[0]
	assert.True(t, app.OptionalClaims.Has("upn", "include_externally_authenticated_upn"))
	assert.True(t, app.UsesGUID())
	const foreign = "    identifierUris: [\"https://mcp.elsewhere.example\"]\n"
	_, err = directory.Parse("d.yaml", []byte(start+"      accessToken: [aud]\n"+foreign))
	require.ErrorContains(t, err, "HostNameNotOnVerifiedDomain")
	file, err = directory.Parse("d.yaml", []byte(start+
		"      accessToken: [aud]\n      additionalProperties: {aud: [use_guid]}\n"+foreign))
	require.NoError(t, err, "the policy for identifier URIs leaves these apps alone")
	assert.Len(t, file.Warnings(), 1)
	for mistake, text := range map[string]string{
		`d.yaml:7: app "A": unknown property "use_grid" of the claim "aud"; want one of use_guid`: "" +
			"      accessToken: [aud]\n      additionalProperties: {aud: [use_guid,\n        use_grid]}\n",
		`the properties of "upn" have no effect; add the claim to accessToken or idToken`: "" +
			"      additionalProperties: {upn: [include_externally_authenticated_upn]}\n",
		`the claim "sid" has no properties; want one of aud, groups, idtyp, upn`: "" +
			"      accessToken: [sid]\n      additionalProperties: {sid: [x]}\n",
		`want ApplicationGroup for the property cloud_displayname, got ""`: "" +
			"      accessToken: [groups]\n      additionalProperties: {groups: [cloud_displayname]}\n",
		`want a list, got "use_guid"`: "      additionalProperties: {aud: use_guid}\n",
	} {
		_, err := directory.Parse("d.yaml", []byte(start+text))
		assert.ErrorContains(t, err, mistake)
	}
}
