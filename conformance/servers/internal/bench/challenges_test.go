package bench_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/servers/internal/bench"
)

func TestParseChallenges(t *testing.T) {
	t.Parallel()
	for line, want := range map[string][]string{
		`Bearer`:                            {"Bearer"},
		`Bearer realm="a, b=c", error=x`:    {"Bearer"},
		`Basic realm="x", Bearer scope="y"`: {"Basic", "Bearer"},
		`Bearer scope="y", Basic`:           {"Bearer", "Basic"},
		`Negotiate abc==, Bearer a="\"b\""`: {"Negotiate", "Bearer"},
		`Negotiate, Bearer a=b`:             {"Negotiate", "Bearer"},
		`, ,Bearer  a = "b" ,c=d, `:         {"Bearer"},
		`Newauth realm="apps", type=1, title="Login to \"apps\"", Basic realm="simple"`: {"Newauth", "Basic"},
		`DPoP algs="ES256 RS256", Bearer resource_metadata="https://x.example/a?b=c"`:   {"DPoP", "Bearer"},
	} {
		all, err := bench.ParseChallenges(line)
		require.NoError(t, err, line)
		var schemes []string
		for _, challenge := range all {
			schemes = append(schemes, challenge.Scheme)
		}
		assert.Equal(t, want, schemes, line)
	}
	for _, line := range []string{
		`Bearer a="b`,
		`Bearer a="b" c="d"`,
		`Bearer a="b", a="c"`,
		`Bearer a="b", A=c`,
		`Bearer a=, b=c`,
		`Bearer a="b", Basic realm="c`,
		`Bearer a="b", error_description="the "token" is bad"`,
		"Bearer a=\"é\"",
		`"Bearer"`,
		`Bearer a='b'c d`,
	} {
		_, err := bench.ParseChallenges(line)
		assert.Error(t, err, line)
	}
}
