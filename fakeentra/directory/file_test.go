package directory_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra/directory"
	"mcpentra/fakeentra/fault"
)

func TestExampleIsRead(t *testing.T) {
	t.Parallel()
	file, err := directory.Parse("example.yaml", []byte(directory.Example))
	require.NoError(t, err)
	d := file.Directory()
	tenant := d.Tenant("contoso.example")
	require.NotNil(t, tenant)
	adele := tenant.User(directory.DefaultUser)
	assert.Equal(t, time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC), adele.Events[0].Start)
	alex := tenant.User("AlexW@contoso.onmicrosoft.com")
	assert.True(t, directory.IsGUID(alex.ID))
	assert.Equal(t, []string{adele.ID, alex.ID}, tenant.Groups[0].Members, "members by name")
	api := tenant.App(directory.DefaultAPIID)
	roles, assigned := api.RolesOf(tenant.Groups[0].ID)
	assert.Equal(t, []string{"operator"}, roles)
	assert.True(t, assigned)
	assert.Equal(t, tenant.Apps[2].ID, api.PreAuthorized[0])
	assert.Equal(t, d.Tenant("fabrikam.onmicrosoft.com").ID, tenant.User("guest@contoso.onmicrosoft.com").HomeTenant)
	assert.True(t, tenant.Policies[0].Applies(tenant, alex, api.ID))
	require.Len(t, file.Faults, 7)
	assert.Equal(t, time.Minute, file.Faults[0].RetryAfter)
	assert.Equal(t, map[string]any{"issuer": "https://evil.example", "jwks_uri": nil}, file.Faults[3].Edit)

	again, err := directory.Parse("example.yaml", []byte(directory.Example))
	require.NoError(t, err)
	assert.Equal(t, file, again, "IDs that are made are always the same")
}

// The example is the documentation: it has every key, with a comment wherever the name does not say
// it all.
func TestExampleHasEveryKey(t *testing.T) {
	t.Parallel()
	var keys func(kind reflect.Type)
	seen := map[reflect.Type]bool{}
	keys = func(kind reflect.Type) {
		for kind.Kind() == reflect.Slice {
			kind = kind.Elem()
		}
		if kind.Kind() != reflect.Struct || seen[kind] || kind == reflect.TypeFor[time.Time]() {
			return
		}
		seen[kind] = true
		for i := range kind.NumField() {
			field := kind.Field(i)
			name := field.Tag.Get("yaml")
			require.NotEmpty(t, name, "%s.%s needs a yaml tag and a line in example.yaml", kind, field.Name)
			if name != "-" {
				assert.True(
					t,
					regexp.MustCompile(`(?m)(^[ -]*|{)`+name+`:`).MatchString(directory.Example),
					"example.yaml lacks %s.%s",
					kind,
					field.Name,
				)
			}
			keys(field.Type)
		}
	}
	keys(reflect.TypeFor[directory.File]())
	assert.True(t, seen[reflect.TypeFor[fault.Fault]()])
}

func TestMistakesHaveLines(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text string
		want string
	}{
		{"", "d.yaml:1: want at least one tenant"},
		{"tenants: [", "d.yaml:"},
		{"tenants:\n\t- id: x", "d.yaml:2: "},
		{"- a", "d.yaml:1: want keys with values, got a list"},
		{"tenants: missing", `d.yaml:1: want a list, got "missing"`},
		{"tenant: []", `d.yaml:1: unknown key "tenant"; perhaps "tenants"`},
		{
			"faults: []\ncolour: red",
			`d.yaml:2: unknown key "colour"; want one of differences, faults, graphPageSize, resources, tenants`,
		},
		{"tenants: []\ntenants: []", "d.yaml:2: the key \"tenants\" appears twice"},
		{
			"tenants:\n- domains: [a.example]\n  noUserConsent: sometimes",
			`d.yaml:3: want true or false, got "sometimes"`,
		},
		{
			"tenants:\n- domains: [a.example]\n  apps:\n  - displayName: x\n    tokenVersion: two",
			`d.yaml:5: want a whole number, got "two"`,
		},
		{
			"tenants:\n- domains: [a.example]\n  apps:\n  - displayName: x\n    tokenVersion: 3",
			`d.yaml:5: app "x": want 1 or 2 as token version, got 3`,
		},
		{
			"tenants:\n- domains: [a.example]\n  apps:\n  - displayName: x\n" +
				"    web:\n    - https://a.example\n    - nowhere",
			`d.yaml:7: app "x": redirect URI "nowhere"`,
		},
		{
			"tenants:\n- domains: [a.example]\n  groups:\n  - displayName: g\n    members: [missing@a.example]",
			`d.yaml:5: group "g": no user or group has the name or object ID "missing@a.example"`,
		},
		{"tenants:\n- displayName: x\n  users:\n  - displayName: nameless", `d.yaml:4: user "": want a unique GUID`},
		{
			"tenants:\n- domains: [a.example]\nfaults:\n- on: token\n  stat: 429",
			`d.yaml:5: unknown key "stat"; perhaps "status"`,
		},
		{
			"tenants:\n- domains: [a.example]\nfaults:\n- on: token\n  delay: 2",
			`d.yaml:5: want a duration such as 1.5s, got "2"`,
		},
		{"tenants:\n- domains: [a.example]\nfaults:\n- on: token", "d.yaml:4: want an effect"},
		{"tenants:\n- &a {domains: [a.example]}\n- *a", "d.yaml:2: anchors and aliases are not supported"},
		{
			"tenants:\n- domains: [a.example]\n  users:\n  - events:\n    - start: monday",
			`d.yaml:5: want a time such as 2026-01-31T09:00:00Z, got "monday"`,
		},
	} {
		_, err := directory.Parse("d.yaml", []byte(test.text))
		require.Error(t, err, test.text)
		assert.Contains(t, err.Error(), test.want, test.text)
		var mistake *directory.Mistake
		assert.ErrorAs(t, err, &mistake)
	}
}

// Read reports all mistakes at once, in order, up to a bound.
func TestAllMistakesAreTold(t *testing.T) {
	t.Parallel()
	_, err := directory.Parse("d.yaml", []byte("tenants:\n- domain: x\n  apps: 3\n  users:\n  - admin: perhaps\n"))
	require.Error(t, err)
	lines := strings.Split(err.Error(), "\n")
	require.Len(t, lines, 3)
	for i, want := range []string{"d.yaml:2: ", "d.yaml:3: ", "d.yaml:5: "} {
		assert.Contains(t, lines[i], want)
	}
	_, err = directory.Parse("d.yaml", []byte("tenants:\n"+strings.Repeat("- id: x\n", 100)))
	require.Error(t, err)
	assert.Contains(t, err.Error(), "and 179 more mistakes")
	_, err = directory.Parse("d.yaml", make([]byte, directory.MaxFile+1))
	assert.ErrorContains(t, err, "want at most 4194304 bytes")
}

func TestJSONIsADirectoryFileToo(t *testing.T) {
	t.Parallel()
	file, err := directory.Parse("d.json", []byte(`{"tenants": [{
		"domains": ["a.example"],
		"users": [{"userPrincipalName": "a@a.example", "displayName": "A \"b\""}]
	}]}`))
	require.NoError(t, err)
	assert.Equal(t, `A "b"`, file.Tenants[0].Users[0].DisplayName)
}

// Any directory file gives a valid directory, or a mistake with the name of the
// file.
func FuzzParse(f *testing.F) {
	f.Add([]byte(directory.Example))
	f.Add([]byte("tenants:\n- domains: [a.example]\n  apps:\n  - displayName: x\n    web: [a, {b: c}]\n" +
		"faults: [{edit: {a: [1, 2.5, true, null, .inf]}}]"))
	f.Add([]byte("a: &a [*a]"))
	f.Add([]byte("tenants: {{}: {}}\n--- \n? [x]\n: y"))
	f.Add([]byte("tenants:\n- id: !!binary aGk=\n  domains: !!set {a, b}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		file, err := directory.Parse("fuzzed.yaml", text)
		if err != nil {
			var mistake *directory.Mistake
			if !errors.As(err, &mistake) || !strings.HasPrefix(err.Error(), "fuzzed.yaml") {
				t.Fatalf("not a mistake with a name: %v", err)
			}
			return
		}
		d := file.Directory()
		if err := d.Check(); err != nil {
			t.Fatalf("passed, and is not in order: %v", err)
		}
		var script fault.Script
		if err := script.Add(file.Faults...); err != nil && len(file.Faults) <= 1000 {
			t.Fatalf("passed, and a fault is not in order: %v", err)
		}
	})
}

func TestDirectoryAsJSON(t *testing.T) {
	t.Parallel()
	file, err := directory.Parse("example.yaml", []byte(directory.Example))
	require.NoError(t, err)
	text, err := json.Marshal(file.Directory())
	require.NoError(t, err)
	assert.Contains(t, string(text), `"start":"2026-01-05T09:00:00Z"`)
	assert.NotContains(t, string(text), "null")
	var back directory.Directory
	require.NoError(t, json.Unmarshal(text, &back))
	again, err := json.Marshal(back)
	require.NoError(t, err)
	assert.Equal(t, string(text), string(again))
	assert.ErrorContains(t, json.Unmarshal([]byte(`{"tenants":[{"id":"x"}]}`), &back), "directory:1: ")
}
