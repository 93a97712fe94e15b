package signin_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"mcpentra/client/discovery"
	"mcpentra/client/signin"
)

func TestSelectScopesFollowsStrategy(t *testing.T) {
	t.Parallel()
	resource := func(scopes ...string) *discovery.Resource { return &discovery.Resource{Scopes: scopes} }
	const offline = "offline_access"
	for _, c := range []struct {
		name       string
		challenged string
		resource   *discovery.Resource
		issuer     []string
		want       []string
	}{
		{"scopes of the challenge", "a b", resource("all.a", "all.b"), nil, []string{"a", "b"}},
		{"scopes of the resource", "", resource("all.a", "all.b"), nil, []string{"all.a", "all.b"}},
		{"no scopes", "", resource(), nil, nil},
		{"no metadata", "", nil, nil, nil},
		{"offline_access at a server that lists it", "a " + offline, nil, []string{offline}, []string{"a", offline}},
		{"offline_access at another server", "a " + offline, nil, []string{"a"}, []string{"a"}},
		{"repeated scope", "a b a", nil, nil, []string{"a", "b"}},
		{"malformed scopes in the challenge", "a \"b\" c\\d \x1b[2J e\u202e f", nil, nil, []string{"a", "f"}},
		{"malformed scopes of the resource", "", resource("a b", "ü"), nil, []string{"a", "b"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := signin.SelectScopes(c.challenged, c.resource, &discovery.Issuer{Scopes: c.issuer})
			assert.Len(t, got, len(c.want))
			assert.Subset(t, c.want, got)
		})
	}
}

func TestSelectScopesIsBounded(t *testing.T) {
	t.Parallel()
	var many []string
	for i := range 300 {
		many = append(many, strings.Repeat("x", i+1))
	}
	assert.Len(t, signin.SelectScopes(strings.Join(many, " "), nil, &discovery.Issuer{}), 100)
}
