package discovery_test

import (
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client/discovery"
)

func challengesIn(lines ...string) ([]discovery.Challenge, error) {
	return discovery.ParseChallenges(http.Header{"Www-Authenticate": lines})
}

func TestChallenges(t *testing.T) {
	t.Parallel()
	type params = map[string]string
	for name, c := range map[string]struct {
		lines []string
		want  []discovery.Challenge
		wrong bool
	}{
		"none":                   {},
		"an empty header":        {lines: []string{""}},
		"nothing but separators": {lines: []string{" ,\t, ,"}},
		"a scheme alone":         {lines: []string{"Bearer"}, want: []discovery.Challenge{{"bearer", params{}}}},
		"a quoted string": {
			lines: []string{`Bearer scope="files.read files.write"`},
			want:  []discovery.Challenge{{"bearer", params{"scope": "files.read files.write"}}},
		},
		"commas, equals signs and schemes inside a quoted string": {
			lines: []string{`Bearer realm="a, Basic b=c", error="e"`},
			want:  []discovery.Challenge{{"bearer", params{"realm": "a, Basic b=c", "error": "e"}}},
		},
		"escapes in a quoted string": {
			lines: []string{`Bearer realm="say \"hi\" \\ \a"`},
			want:  []discovery.Challenge{{"bearer", params{"realm": `say "hi" \ a`}}},
		},
		"an empty quoted string": {lines: []string{`Bearer realm=""`}, want: []discovery.Challenge{{"bearer", params{"realm": ""}}}},
		"values without quotes": {
			lines: []string{`Bearer error=invalid_token,realm=x`},
			want:  []discovery.Challenge{{"bearer", params{"error": "invalid_token", "realm": "x"}}},
		},
		"names in any case, blanks around the equals sign": {
			lines: []string{"bEARER Realm = \"x\" ,\tERROR\t=\ty"},
			want:  []discovery.Challenge{{"bearer", params{"realm": "x", "error": "y"}}},
		},
		"empty elements of the list": {
			lines: []string{`,, Bearer realm="x",, error=y,`},
			want:  []discovery.Challenge{{"bearer", params{"realm": "x", "error": "y"}}},
		},
		"two schemes in one header": {
			lines: []string{`Basic realm="b", Bearer realm="x"`},
			want:  []discovery.Challenge{{"basic", params{"realm": "b"}}, {"bearer", params{"realm": "x"}}},
		},
		"a scheme without parameters before another": {
			lines: []string{`Negotiate, Bearer realm="x"`},
			want:  []discovery.Challenge{{"negotiate", params{}}, {"bearer", params{"realm": "x"}}},
		},
		"two headers": {
			lines: []string{`Digest realm="d", nonce="n"`, `Bearer realm="x"`},
			want:  []discovery.Challenge{{"digest", params{"realm": "d", "nonce": "n"}}, {"bearer", params{"realm": "x"}}},
		},
		"a token68 with slashes and padding before another scheme": {
			lines: []string{`Negotiate oYG/+2==, Bearer realm="x"`},
			want:  []discovery.Challenge{{"negotiate", params{}}, {"bearer", params{"realm": "x"}}},
		},
		"a token68 at the end": {
			lines: []string{`Bearer realm="x", NTLM TlRMTVNTUAAC=`},
			want:  []discovery.Challenge{{"bearer", params{"realm": "x"}}, {"ntlm", params{}}},
		},
		"a parameter after a token68": {
			lines: []string{`Bearer abc==, realm="x"`},
			want:  []discovery.Challenge{{"bearer", params{}}},
			wrong: true,
		},
		"a parameter twice":           {lines: []string{`Bearer scope="a", scope="b"`}, wrong: true},
		"a parameter twice, in cases": {lines: []string{`Bearer scope="a", SCOPE="b"`}, wrong: true},
		"a quote without an end":      {lines: []string{`Bearer realm="x`}, wrong: true},
		"a backslash at the end":      {lines: []string{`Bearer realm="x\`}, wrong: true},
		"a parameter without a value": {lines: []string{`Bearer a=b, realm=`}, wrong: true},
		"a quote in the wrong place":  {lines: []string{`"Bearer" realm="x"`}, wrong: true},
		"text glued to a string":      {lines: []string{`Bearer realm="x"y="z";`}, wrong: true},
		"control characters":          {lines: []string{"Bearer \x00=\x1b"}, wrong: true},
		"bytes that are no UTF-8":     {lines: []string{"\xff\xfe\xfd"}, wrong: true},
		"an address without quotes": {
			lines: []string{`Bearer resource_metadata=https://h/x, error=e, scope="a b"`},
			want:  []discovery.Challenge{{"bearer", params{"error": "e", "scope": "a b"}}},
		},
		"an address without quotes before a blank": {
			lines: []string{`Bearer error=e resource_metadata=https://h/x scope="a"`},
			want:  []discovery.Challenge{{"bearer", params{"error": "e", "scope": "a"}}},
		},
		"single quotes": {
			lines: []string{`Bearer resource_metadata='https://h/x', error='e', scope='a b'`},
			want:  []discovery.Challenge{{"bearer", params{"error": "e", "scope": "a b"}}},
		},
		"apostrophes": {
			lines: []string{`Bearer realm='tis, error=isn't, scope='a`},
			want:  []discovery.Challenge{{"bearer", params{"realm": "'tis", "error": "isn't", "scope": "'a"}}},
		},
		"two addresses": {
			lines: []string{`Bearer resource_metadata="https://h/x", Resource_Metadata="https://h/x", error=e`},
			want:  []discovery.Challenge{{"bearer", params{"error": "e"}}},
		},
		"three addresses": {
			lines: []string{`Bearer resource_metadata="x", resource_metadata=:, resource_metadata=y, error=e`},
			want:  []discovery.Challenge{{"bearer", params{"error": "e"}}},
		},
		"an address before a semicolon": {
			lines: []string{`Bearer resource_metadata="https://h/x"; error=e`},
			want:  []discovery.Challenge{{"bearer", params{"error": "e"}}},
		},
		"an address without an end": {
			lines: []string{`Bearer error=e, resource_metadata="https://h/x`},
			want:  []discovery.Challenge{{"bearer", params{"error": "e"}}},
		},
		"no address": {
			lines: []string{`Bearer error=e, resource_metadata=`},
			want:  []discovery.Challenge{{"bearer", params{"error": "e"}}},
		},
		"what stands before a mistake": {
			lines: []string{`Bearer realm="x", Basic ;;;`, `Digest realm="never read"`},
			want:  []discovery.Challenge{{"bearer", params{"realm": "x"}}},
			wrong: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := challengesIn(c.lines...)
			assert.Equal(t, c.wrong, err != nil, "%v", err)
			if c.wrong && c.want == nil {
				assert.Nil(t, discovery.Token(got), "what is not well formed is not believed")
				return
			}
			assert.Equal(t, c.want, got)
		})
	}
}

func TestBearerIsTheFirstOne(t *testing.T) {
	t.Parallel()
	all, err := challengesIn(`Basic realm="b", Bearer realm="1", Bearer realm="2"`)
	require.NoError(t, err)
	assert.Equal(t, "1", discovery.Token(all).Params["realm"])
	assert.Nil(t, discovery.Token(nil))
}

func TestChallengesAreBounded(t *testing.T) {
	t.Parallel()
	var params []string
	for i := range 40 {
		params = append(params, "p"+strings.Repeat("x", i)+"=1")
	}
	for name, lines := range map[string][]string{
		"one long header":     {`Bearer realm="` + strings.Repeat("x", 17<<10) + `"`},
		"many short headers":  slicesOf(`Basic realm="`+strings.Repeat("x", 1000)+`"`, 20),
		"many challenges":     {strings.Repeat("Basic realm=x, ", 40)},
		"many parameters":     {"Bearer " + strings.Join(params, ", ")},
		"many addresses":      {"Bearer resource_metadata=x, " + strings.Join(params, ", ")},
		"very many backslash": {`Bearer realm="` + strings.Repeat(`\`, 16<<10-20)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := challengesIn(lines...)
			require.Error(t, err)
			assert.LessOrEqual(t, len(got), 32)
			assert.Less(t, len(err.Error()), 200, "what came is not repeated")
		})
	}
}

func slicesOf(line string, times int) []string {
	var all []string
	for range times {
		all = append(all, line)
	}
	return all
}

// TestChallengesTakeLinearWork lengthens inputs that make a parser go back, and counts the bytes
// that it allocates, since time would depend on the machine. Capital letters make it copy every
// word that it reads.
func TestChallengesTakeLinearWork(t *testing.T) {
	for name, make := range map[string]func(n int) string{
		"blanks":          func(n int) string { return "Bearer A" + strings.Repeat(" ", n) + "B" },
		"separators":      func(n int) string { return "Bearer" + strings.Repeat(" ,", n/2) + "a=b" },
		"backslashes":     func(n int) string { return `Bearer a="` + strings.Repeat(`\\`, n/2) + `"` },
		"open quote":      func(n int) string { return `Bearer a="` + strings.Repeat("x", n) },
		"one long name":   func(n int) string { return "Bearer " + strings.Repeat("A", n) + " b=c" },
		"a long token68":  func(n int) string { return "Bearer " + strings.Repeat("A", n) + strings.Repeat("=", 10) + "?" },
		"padding":         func(n int) string { return "Bearer a" + strings.Repeat("=", n) },
		"schemes in line": func(n int) string { return strings.Repeat("A ", n/2) },
	} {
		t.Run(name, func(t *testing.T) {
			small := bytesAllocated(make(4 << 10))
			large := bytesAllocated(make(16<<10 - 40))
			assert.LessOrEqual(t, large, 8*small+4096, "four times the input")
		})
	}
}

func bytesAllocated(line string) uint64 {
	header := http.Header{"Www-Authenticate": {line}}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 10 {
		_, _ = discovery.ParseChallenges(header)
	}
	runtime.ReadMemStats(&after)
	return (after.TotalAlloc - before.TotalAlloc) / 10
}

func FuzzParseChallenges(f *testing.F) {
	f.Add(`Bearer resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource", scope="a b"`)
	f.Add(`Negotiate oYG/+2==, Bearer realm="x\"y",error=invalid_token`)
	f.Add("Basic realm=\"b\"\t,,Bearer")
	f.Add(`Bearer a="\`)
	f.Fuzz(func(t *testing.T, line string) {
		got, err := challengesIn(line)
		size := 0
		for _, one := range got {
			if one.Scheme == "" || one.Scheme != strings.ToLower(one.Scheme) {
				t.Fatalf("scheme %q", one.Scheme)
			}
			size += len(one.Scheme)
			for name, value := range one.Params {
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
		again, err := challengesIn(line)
		if err != nil || len(again) != len(got) {
			t.Fatalf("another reading gives %v, %v", again, err)
		}
	})
}
