package discovery_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client/discovery"
)

type params = map[string]string

func TestParseChallengesReadsHeaders(t *testing.T) {
	t.Parallel()
	bearer := func(p params) []discovery.Challenge { return []discovery.Challenge{{Scheme: "bearer", Params: p}} }
	negotiate := discovery.Challenge{Scheme: "negotiate", Params: params{}}
	bearerX := discovery.Challenge{Scheme: "bearer", Params: params{"realm": "x"}}
	for _, c := range []struct {
		name  string
		lines []string
		want  []discovery.Challenge
	}{
		{"no header", nil, nil},
		{"empty header", []string{""}, nil},
		{"separators alone", []string{" ,\t, ,"}, nil},
		{"scheme alone", []string{"Bearer"}, bearer(params{})},
		{
			"quoted string",
			[]string{`Bearer scope="files.read files.write"`},
			bearer(params{"scope": "files.read files.write"}),
		},
		{
			"commas, equals signs and schemes in a quoted string",
			[]string{`Bearer realm="a, Basic b=c", error="e"`},
			bearer(params{"realm": "a, Basic b=c", "error": "e"}),
		},
		{
			"escapes in a quoted string",
			[]string{`Bearer realm="say \"hi\" \\ \a"`},
			bearer(params{"realm": `say "hi" \ a`}),
		},
		{"empty quoted string", []string{`Bearer realm=""`}, bearer(params{"realm": ""})},
		{
			"values without quotes",
			[]string{`Bearer error=invalid_token,realm=x`},
			bearer(params{"error": "invalid_token", "realm": "x"}),
		},
		{
			"names in any case, blanks around the equals sign",
			[]string{"bEARER Realm = \"x\" ,\tERROR\t=\ty"},
			bearer(params{"realm": "x", "error": "y"}),
		},
		{
			"empty elements of the list",
			[]string{`,, Bearer realm="x",, error=y,`},
			bearer(params{"realm": "x", "error": "y"}),
		},
		{
			"two schemes in one header",
			[]string{`Basic realm="b", Bearer realm="x"`},
			[]discovery.Challenge{{Scheme: "basic", Params: params{"realm": "b"}}, bearerX},
		},
		{
			"scheme without parameters before another",
			[]string{`Negotiate, Bearer realm="x"`},
			[]discovery.Challenge{negotiate, bearerX},
		},
		{
			"two headers",
			[]string{`Digest realm="d", nonce="n"`, `Bearer realm="x"`},
			[]discovery.Challenge{{Scheme: "digest", Params: params{"realm": "d", "nonce": "n"}}, bearerX},
		},
		{
			"token68 with slashes and padding before another scheme",
			[]string{`Negotiate oYG/+2==, Bearer realm="x"`},
			[]discovery.Challenge{negotiate, bearerX},
		},
		{
			"token68 at the end",
			[]string{`Bearer realm="x", NTLM TlRMTVNTUAAC=`},
			[]discovery.Challenge{bearerX, {Scheme: "ntlm", Params: params{}}},
		},
		{
			"apostrophes",
			[]string{`Bearer realm='tis, error=isn't, scope='a`},
			bearer(params{"realm": "'tis", "error": "isn't", "scope": "'a"}),
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := parseLines(c.lines...)
			require.NoError(t, err)
			assert.Equal(t, c.want, got)
		})
	}
}

// TestParseChallengesDropsAddress has addresses that are malformed or repeated. The other
// parameters count.
func TestParseChallengesDropsAddress(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, line string
		want       params
	}{
		{
			"no quotes",
			`Bearer resource_metadata=https://h/x, error=e, scope="a b"`,
			params{"error": "e", "scope": "a b"},
		},
		{
			"no quotes, before a blank",
			`Bearer error=e resource_metadata=https://h/x scope="a"`,
			params{"error": "e", "scope": "a"},
		},
		{
			"single quotes",
			`Bearer resource_metadata='https://h/x', error='e', scope='a b'`,
			params{"error": "e", "scope": "a b"},
		},
		{
			"two addresses",
			`Bearer resource_metadata="https://h/x", Resource_Metadata="https://h/x", error=e`,
			params{"error": "e"},
		},
		{
			"three addresses",
			`Bearer resource_metadata="x", resource_metadata=:, resource_metadata=y, error=e`,
			params{"error": "e"},
		},
		{"before a semicolon", `Bearer resource_metadata="https://h/x"; error=e`, params{"error": "e"}},
		{"open quote", `Bearer error=e, resource_metadata="https://h/x`, params{"error": "e"}},
		{"no value", `Bearer error=e, resource_metadata=`, params{"error": "e"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := parseLines(c.line)
			require.NoError(t, err)
			assert.Equal(t, []discovery.Challenge{{Scheme: "bearer", Params: c.want}}, got)
		})
	}
}

func TestParseChallengesRefusesMalformedHeader(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, line string }{
		{"repeated parameter", `Bearer scope="a", scope="b"`},
		{"repeated parameter in another case", `Bearer scope="a", SCOPE="b"`},
		{"open quote", `Bearer realm="x`},
		{"backslash at the end", `Bearer realm="x\`},
		{"parameter without a value", `Bearer a=b, realm=`},
		{"quoted scheme", `"Bearer" realm="x"`},
		{"text after a quoted string", `Bearer realm="x"y="z";`},
		{"control characters", "Bearer \x00=\x1b"},
		{"invalid UTF-8", "\xff\xfe\xfd"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := parseLines(c.line)
			require.Error(t, err)
			assert.Nil(t, discovery.TokenChallenge(got))
		})
	}
}

func TestParseChallengesKeepsChallengesBeforeMistake(t *testing.T) {
	t.Parallel()
	got, err := parseLines(`Bearer realm="x", Basic ;;;`, `Digest realm="never read"`)
	require.Error(t, err)
	assert.Equal(t, []discovery.Challenge{{Scheme: "bearer", Params: params{"realm": "x"}}}, got)
	got, err = parseLines(`Bearer abc==, realm="x"`)
	require.Error(t, err, "a parameter after a token68")
	assert.Equal(t, []discovery.Challenge{{Scheme: "bearer", Params: params{}}}, got)
}

func TestTokenChallengeReturnsFirstBearer(t *testing.T) {
	t.Parallel()
	all, err := parseLines(`Basic realm="b", Bearer realm="1", Bearer realm="2"`)
	require.NoError(t, err)
	assert.Equal(t, "1", discovery.TokenChallenge(all).Params["realm"])
	assert.Nil(t, discovery.TokenChallenge(nil))
}

func TestTokenChallengeDropsAmbiguousAddress(t *testing.T) {
	t.Parallel()
	const addressA = `resource_metadata="https://a.example.com"`
	const addressB = `resource_metadata="https://b.example.com"`
	for _, c := range []struct {
		name  string
		lines []string
		want  params
	}{
		{
			"two Bearer challenges",
			[]string{`Bearer scope="a", ` + addressA, `Bearer ` + addressB},
			params{"scope": "a"},
		},
		{
			"two Bearer challenges with one address",
			[]string{`Bearer ` + addressA, `Bearer ` + addressA},
			params{"resource_metadata": "https://a.example.com"},
		},
		{
			"Bearer and DPoP",
			[]string{`Bearer ` + addressA, `DPoP ` + addressB},
			params{"resource_metadata": "https://a.example.com"},
		},
	} {
		challenges, err := parseLines(c.lines...)
		require.NoError(t, err, c.name)
		assert.Equal(t, c.want, discovery.TokenChallenge(challenges).Params, c.name)
	}
}

func TestParseChallengesIsBounded(t *testing.T) {
	t.Parallel()
	var names []string
	for i := range 40 {
		names = append(names, "p"+strings.Repeat("x", i)+"=1")
	}
	parameters := strings.Join(names, ", ")
	var manyLines []string
	for range 20 {
		manyLines = append(manyLines, `Basic realm="`+strings.Repeat("x", 1000)+`"`)
	}
	for _, c := range []struct {
		name  string
		lines []string
	}{
		{"one long header", []string{`Bearer realm="` + strings.Repeat("x", 17<<10) + `"`}},
		{"many short headers", manyLines},
		{"many challenges", []string{strings.Repeat("Basic realm=x, ", 40)}},
		{"many parameters", []string{"Bearer " + parameters}},
		{"many parameters after an address", []string{"Bearer resource_metadata=x, " + parameters}},
		{"many backslashes", []string{`Bearer realm="` + strings.Repeat(`\`, 16<<10-20)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := parseLines(c.lines...)
			require.Error(t, err)
			assert.LessOrEqual(t, len(got), 32)
			assert.Less(t, len(err.Error()), 200, "the error does not repeat the header")
		})
	}
}

func FuzzParseChallenges(f *testing.F) {
	f.Add(`Bearer resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource", scope="a b"`)
	f.Add(`Negotiate oYG/+2==, Bearer realm="x\"y",error=invalid_token`)
	f.Add("Basic realm=\"b\"\t,,Bearer")
	f.Add(`Bearer a="\`)
	f.Fuzz(func(t *testing.T, line string) {
		got, err := parseLines(line)
		size := 0
		for _, challenge := range got {
			if challenge.Scheme == "" || challenge.Scheme != strings.ToLower(challenge.Scheme) {
				t.Fatalf("scheme %q", challenge.Scheme)
			}
			size += len(challenge.Scheme)
			for name, value := range challenge.Params {
				if name == "" || name != strings.ToLower(name) {
					t.Fatalf("name %q", name)
				}
				size += len(name) + len(value)
			}
		}
		if size > len(line) {
			t.Fatalf("%d bytes were read from %d", size, len(line))
		}
		if err != nil {
			return
		}
		again, err := parseLines(line)
		if err != nil || len(again) != len(got) {
			t.Fatalf("the second reading gives %v, %v", again, err)
		}
	})
}
