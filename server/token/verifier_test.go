package token_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server/token"
)

func pkcs1(t testing.TB, key *rsa.PrivateKey, input string) string {
	t.Helper()
	digest := sha256.Sum256([]byte(input))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest[:])
	require.NoError(t, err)
	return string(signature)
}

func reasonOf(t *testing.T, err error) token.Reason {
	t.Helper()
	var invalid *token.InvalidError
	require.ErrorAs(t, err, &invalid)
	return invalid.Reason
}

func TestAGoodTokenPasses(t *testing.T) {
	t.Parallel()
	tests := map[string]map[string]any{
		"as usual":                         nil,
		"one audience of several":          {"aud": []string{"https://other.example", audience}},
		"expired within the leeway":        {"exp": noon.Unix() - 59},
		"valid only within the leeway":     {"nbf": noon.Unix() + 60, "iat": noon.Unix() + 60},
		"times with a fraction":            {"exp": float64(noon.Unix()) + 10.5},
		"no iat and no nbf":                {"iat": nil, "nbf": nil},
		"claims that nobody knows":         {"https://example.com/claim": map[string]any{"a": []int{1}}},
		"names that differ in more":        {"expires": 1, "audience": "x"},
		"a nested name in another case":    {"x": map[string]any{"EXP": 1}},
		"a year that can still be printed": {"exp": 253402300799},
	}
	for name, changes := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			claims, err := verifier().Verify(t.Context(), mint(t, changes))
			require.NoError(t, err)
			assert.Equal(t, issuerName, claims.Issuer)
			assert.Equal(t, "one", claims.KeyID)
			assert.Contains(t, claims.Audience, audience)
			var own struct {
				Scope string `json:"scp"`
			}
			require.NoError(t, claims.Decode(&own))
			assert.Equal(t, "user.read", own.Scope)
		})
	}
}

func TestABadTokenIsRefusedForItsReason(t *testing.T) {
	t.Parallel()
	const header = `{"alg":"RS256","kid":"one","typ":"JWT"}`
	payload, err := json.Marshal(goodClaims(nil))
	require.NoError(t, err)
	good := string(payload)
	claim := func(name string, value any) func(*testing.T) string {
		return func(t *testing.T) string { return mint(t, map[string]any{name: value}) }
	}
	head := func(header string) func(*testing.T) string {
		return func(t *testing.T) string { return signRS256(t, header, good) }
	}
	strangers := func(header string) func(*testing.T) string {
		return func(t *testing.T) string { return signWith(t, newRSAKey(2048), header, good) }
	}
	body := func(payload string) func(*testing.T) string {
		return func(t *testing.T) string { return signRS256(t, header, payload) }
	}
	// with puts members in front of a good payload's.
	with := func(members string) func(*testing.T) string { return body("{" + members + "," + good[1:]) }
	change := func(f func(raw string) string) func(*testing.T) string {
		return func(t *testing.T) string { return f(mint(t, nil)) }
	}
	tests := map[string]struct {
		make   func(*testing.T) string
		reason token.Reason
	}{
		// How it is written.
		"empty":    {func(*testing.T) string { return "" }, token.NotThreeParts},
		"one part": {func(*testing.T) string { return "abc" }, token.NotThreeParts},
		"a signature that is missing": {
			change(func(raw string) string { return raw[:strings.LastIndexByte(raw, '.')] }),
			token.NotThreeParts,
		},
		"five parts, as of a JWE": {change(func(raw string) string { return raw + ".a.b" }), token.NotThreeParts},
		"a million dots":          {func(*testing.T) string { return strings.Repeat(".", 1<<20) }, token.Oversized},
		"larger than allowed":     {claim("x", strings.Repeat("a", 20<<10)), token.Oversized},
		"JSON serialization":      {func(*testing.T) string { return `{"payload":"a.b.c"}` }, token.BadEncoding},
		"an empty payload (detached)": {
			change(func(raw string) string { return part(raw, 0) + ".." + part(raw, 2) }),
			token.BadClaims,
		},
		"an empty header": {
			change(func(raw string) string { return "." + part(raw, 1) + "." + part(raw, 2) }),
			token.BadEncoding,
		},
		"an empty signature": {
			change(func(raw string) string { return part(raw, 0) + "." + part(raw, 1) + "." }),
			token.BadEncoding,
		},
		"padding": {change(func(raw string) string { return raw + "==" }), token.BadEncoding},
		"the other base64 alphabet": {
			change(func(raw string) string { return raw[:len(raw)-1] + "+" }),
			token.BadEncoding,
		},
		"a line break inside": {
			change(func(raw string) string { return raw[:9] + "\n" + raw[9:] }),
			token.BadEncoding,
		},
		"a blank inside": {
			change(func(raw string) string { return raw[:9] + " " + raw[9:] }),
			token.BadEncoding,
		},
		"spare bits that are set":     {change(spareBits), token.BadEncoding},
		"a header that is no object":  {head(`["RS256"]`), token.BadHeader},
		"a header with a byte mark":   {head("\xef\xbb\xbf" + header), token.BadHeader},
		"a header of bad UTF-8":       {head("{\"alg\":\"RS256\",\"kid\":\"one\",\"x\":\"\xff\"}"), token.BadHeader},
		"a lone surrogate":            {head(`{"alg":"RS256","kid":"one","x":"\ud800"}`), token.BadHeader},
		"something after the header":  {head(header + " {}"), token.BadHeader},
		"an algorithm twice":          {head(`{"alg":"none","alg":"RS256","kid":"one"}`), token.BadHeader},
		"a key id twice":              {head(`{"alg":"RS256","kid":"x","kid":"one"}`), token.BadHeader},
		"a twin of the algorithm":     {head(`{"alg":"RS256","Alg":"none","kid":"one"}`), token.BadHeader},
		"a payload that is an array":  {body(`[` + good + `]`), token.BadClaims},
		"a payload that is a string":  {body(`"x"`), token.BadClaims},
		"something after the payload": {body(good + `{"a":1}`), token.BadClaims},
		"ten thousand levels":         {body(`{"x":` + strings.Repeat("[", 10001)), token.BadClaims},
		"five thousand open brackets": {body(`{"x":` + strings.Repeat("[", 5000)), token.BadClaims},
		"bad UTF-8 in a claim":        {with("\"x\":\"\xff\""), token.BadClaims},
		"the audience twice":          {with(`"aud":"other"`), token.BadClaims},
		"the scope twice":             {with(`"scp":"admin"`), token.BadClaims},
		"a name twice, deep inside":   {with(`"x":{"a":1,"a":2}`), token.BadClaims},
		"a twin of the audience":      {with(`"AUD":"other"`), token.BadClaims},
		"a twin of the expiry":        {with(`"Exp":9999999999`), token.BadClaims},
		"a twin with a long s":        {with(`"iſs":"x"`), token.BadClaims},
		"an escaped name twice":       {with(`"\u0061ud":"other"`), token.BadClaims},

		// What the header says.
		"alg none":             {head(`{"alg":"none","kid":"one"}`), token.AlgorithmNotAllowed},
		"alg None":             {head(`{"alg":"None","kid":"one"}`), token.AlgorithmNotAllowed},
		"alg nOnE":             {head(`{"alg":"nOnE","kid":"one"}`), token.AlgorithmNotAllowed},
		"alg empty":            {head(`{"alg":"","kid":"one"}`), token.AlgorithmNotAllowed},
		"alg missing":          {head(`{"kid":"one"}`), token.AlgorithmNotAllowed},
		"alg in lower case":    {head(`{"alg":"rs256","kid":"one"}`), token.AlgorithmNotAllowed},
		"alg with a blank":     {head(`{"alg":" RS256","kid":"one"}`), token.AlgorithmNotAllowed},
		"alg null":             {head(`{"alg":null,"kid":"one"}`), token.BadHeader},
		"alg an array":         {head(`{"alg":["RS256"],"kid":"one"}`), token.BadHeader},
		"alg RS384":            {head(`{"alg":"RS384","kid":"one"}`), token.AlgorithmNotAllowed},
		"alg PS256":            {head(`{"alg":"PS256","kid":"one"}`), token.AlgorithmNotAllowed},
		"alg of another key":   {head(`{"alg":"ES256","kid":"one"}`), token.BadSignature},
		"an unknown extension": {head(`{"alg":"RS256","kid":"one","crit":["x"],"x":1}`), token.BadHeader},
		"an empty crit":        {head(`{"alg":"RS256","kid":"one","crit":[]}`), token.BadHeader},
		"crit names a claim":   {head(`{"alg":"RS256","kid":"one","crit":["exp"],"exp":1}`), token.BadHeader},
		"an unencoded payload": {head(`{"alg":"RS256","kid":"one","crit":["b64"],"b64":false}`), token.BadHeader},
		"b64 without crit":     {head(`{"alg":"RS256","kid":"one","b64":false}`), token.BadHeader},
		"a key brought along": {
			head(`{"alg":"RS256","kid":"one","jwk":{"kty":"RSA","n":"AQ","e":"AQAB"}}`),
			token.BadHeader,
		},
		"an address of keys": {
			head(`{"alg":"RS256","kid":"one","jku":"https://evil.example/keys"}`),
			token.BadHeader,
		},
		"a chain of noise":        {head(`{"alg":"RS256","kid":"one","x5c":["MIIB"]}`), token.BadHeader},
		"a thumbprint and no key": {strangers(`{"alg":"RS256","kid":"one","x5t":"AAAA"}`), token.BadSignature},
		"an address of a chain": {
			head(`{"alg":"RS256","kid":"one","x5u":"https://evil.example/chain"}`),
			token.BadHeader,
		},
		"compressed":             {head(`{"alg":"RS256","kid":"one","zip":"DEF"}`), token.BadHeader},
		"a token inside a token": {head(`{"alg":"RS256","kid":"one","cty":"JWT"}`), token.BadHeader},
		"no key id":              {head(`{"alg":"RS256"}`), token.NoKeyID},
		"a key id of a path":     {head(`{"alg":"RS256","kid":"../../../../dev/null"}`), token.UnknownKey},
		"a key id of SQL":        {head(`{"alg":"RS256","kid":"' OR 1=1--"}`), token.UnknownKey},
		"a key id with a NUL":    {head(`{"alg":"RS256","kid":"one\u0000"}`), token.UnknownKey},
		"a key id of an array":   {head(`{"alg":"RS256","kid":["one"]}`), token.BadHeader},
		"a key id of a number":   {head(`{"alg":"RS256","kid":1}`), token.BadHeader},
		"a very long key id":     {head(`{"alg":"RS256","kid":"` + strings.Repeat("a", 600) + `"}`), token.BadHeader},
		"the id of another key":  {head(`{"alg":"RS256","kid":"two"}`), token.BadSignature},

		// What the claims say.
		"another tenant": {
			claim("iss", strings.Replace(issuerName, "5a1e0001", "5a1e0009", 1)),
			token.WrongIssuer,
		},
		"the v1 issuer": {
			claim("iss", "https://sts.windows.net/5a1e0001-0000-4000-8000-000000000001/"),
			token.WrongIssuer,
		},
		"the template as issuer": {
			claim("iss", "https://login.microsoftonline.com/{tenantid}/v2.0"),
			token.WrongIssuer,
		},
		"an issuer with a slash": {claim("iss", issuerName+"/"), token.WrongIssuer},
		"an issuer in capitals":  {claim("iss", strings.ToUpper(issuerName)), token.WrongIssuer},
		"an issuer over http": {
			claim("iss", strings.Replace(issuerName, "https", "http", 1)),
			token.WrongIssuer,
		},
		"no issuer":                  {claim("iss", nil), token.WrongIssuer},
		"an issuer of an array":      {claim("iss", []string{issuerName}), token.BadClaims},
		"another audience":           {claim("aud", "00000003-0000-0000-c000-000000000000"), token.WrongAudience},
		"a longer audience":          {claim("aud", audience+"2"), token.WrongAudience},
		"a shorter audience":         {claim("aud", audience[:len(audience)-1]), token.WrongAudience},
		"the audience of the origin": {claim("aud", "https://mcp.example"), token.WrongAudience},
		"an audience with a slash":   {claim("aud", audience+"/"), token.WrongAudience},
		"other audiences":            {claim("aud", []string{"other"}), token.WrongAudience},
		"no audience":                {claim("aud", nil), token.WrongAudience},
		"an audience of nothing":     {claim("aud", []string{}), token.WrongAudience},
		"an audience of null": {
			body(strings.Replace(good, `"aud":"`+audience+`"`, `"aud":null`, 1)),
			token.BadClaims,
		},
		"an audience beside a number":  {claim("aud", []any{audience, 1}), token.BadClaims},
		"an audience inside an object": {claim("aud", map[string]any{"x": audience}), token.BadClaims},
		"expired":                      {claim("exp", noon.Unix()-60), token.Expired},
		"no expiry":                    {claim("exp", nil), token.NoExpiry},
		"an expiry of null":            {with(`"exp":null`), token.BadClaims},
		"an expiry of text":            {claim("exp", fmt.Sprint(noon.Unix()+3600)), token.BadClaims},
		"an expiry of 0":               {claim("exp", 0), token.BadClaims},
		"an expiry of -1":              {claim("exp", -1), token.BadClaims},
		"an expiry without end": {
			body(strings.Replace(good, fmt.Sprint(noon.Unix()+3600), "1e400", 1)),
			token.BadClaims,
		},
		"an expiry after all years": {claim("exp", 253402300800), token.BadClaims},
		"not valid yet":             {claim("nbf", noon.Unix()+61), token.NotYetValid},
		"a start of text":           {claim("nbf", "now"), token.BadClaims},
		"bound to a DPoP key":       {claim("cnf", map[string]any{"jkt": "x"}), token.BoundToKey},
		"bound to nothing":          {claim("cnf", map[string]any{}), token.BoundToKey},
		"issued in the future":      {claim("iat", noon.Unix()+61), token.NotYetValid},
		"issued after it expires": {
			body(
				strings.Replace(
					strings.Replace(good, fmt.Sprint(noon.Unix()-60), fmt.Sprint(noon.Unix()+50), 2),
					fmt.Sprint(noon.Unix()+3600),
					fmt.Sprint(noon.Unix()+20),
					1,
				),
			),
			token.NotYetValid,
		},

		// What it is signed with.
		"a stranger's key": {
			func(t *testing.T) string { return signWith(t, newRSAKey(2048), header, good) },
			token.BadSignature,
		},
		"another payload": {change(func(raw string) string {
			return part(raw, 0) + "." + encode(strings.Replace(good, "user.read", "user.admin", 1)) + "." + part(raw, 2)
		}), token.BadSignature},
		"a bit of the signature turned": {change(flipSignature), token.BadSignature},
		"half a signature": {change(func(raw string) string {
			return part(raw, 0) + "." + part(raw, 1) + "." + part(raw, 2)[:len(part(raw, 2))/2/4*4]
		}), token.BadSignature},
		"a signature of zeros": {func(*testing.T) string {
			return encode(`{"alg":"ES256","kid":"two"}`) + "." + encode(good) + "." + encode(strings.Repeat("\x00", 64))
		}, token.BadSignature},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := verifier().Verify(t.Context(), test.make(t))
			assert.Equal(t, test.reason, reasonOf(t, err))
		})
	}
}

// spareBits turns one of the bits of the last character that no byte is made of.
// TestWhatIsNoJWSIsRefusedUnread has every form of an encrypted token and of a flood of dots: they
// are counted, and nothing of them is decoded.
func TestOnlyConfiguredTypesPass(t *testing.T) {
	t.Parallel()
	payload, err := json.Marshal(goodClaims(nil))
	require.NoError(t, err)
	for typ, fine := range map[string]bool{
		`"at+jwt"`:             true,
		`"AT+JWT"`:             true,
		`"application/at+jwt"`: true,
		`"JWT"`:                false,
		`"dpop+jwt"`:           false,
		`"logout+jwt"`:         false,
		`""`:                   false,
	} {
		t.Run(typ, func(t *testing.T) {
			t.Parallel()
			v := verifier()
			v.Types = []string{"at+jwt"}
			_, err := v.Verify(t.Context(), signRS256(t, `{"alg":"RS256","kid":"one","typ":`+typ+`}`, string(payload)))
			if fine {
				require.NoError(t, err)
				return
			}
			assert.Equal(t, token.TypeNotAllowed, reasonOf(t, err))
		})
	}
}

func TestTheLeewayOfExpiryIsItsOwn(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		leeway time.Duration
		ago    int64
		fine   bool
	}{
		"that of all unless told":          {0, 59, true},
		"that of all unless told, no more": {0, 60, false},
		"five seconds, last second":        {5 * time.Second, 4, true},
		"five seconds, and no more":        {5 * time.Second, 5, false},
		"none, last second":                {-1, -1, true},
		"none, and no more":                {-1, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := verifier()
			v.ExpiryLeeway = test.leeway
			// The leeway of the other times stays.
			times := map[string]any{"exp": noon.Unix() - test.ago, "nbf": noon.Unix() + 60, "iat": nil}
			claims, err := v.Verify(t.Context(), mint(t, times))
			if !test.fine {
				assert.Equal(t, token.Expired, reasonOf(t, err))
				return
			}
			require.NoError(t, err)
			assert.True(t, noon.Before(claims.GoodUntil))
		})
	}
}

func TestLeewayIsWhatIsConfigured(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		leeway time.Duration
		exp    int64
		fine   bool
	}{
		"a minute unless told, last second": {0, -59, true},
		"a minute unless told, and no more": {0, -60, false},
		"none, last second":                 {-1, 1, true},
		"none, and no more":                 {-1, 0, false},
		"five minutes, last second":         {5 * time.Minute, -299, true},
		"five minutes, and no more":         {5 * time.Minute, -300, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := verifier()
			v.Leeway = test.leeway
			_, err := v.Verify(
				t.Context(),
				mint(t, map[string]any{"exp": noon.Unix() + test.exp, "iat": noon.Unix() - 600}),
			)
			if test.fine {
				require.NoError(t, err)
				return
			}
			assert.Equal(t, token.Expired, reasonOf(t, err))
		})
	}
}

func TestCheapChecksComeBeforeKeys(t *testing.T) {
	t.Parallel()
	for name, changes := range map[string]map[string]any{
		"another issuer":            {"iss": "x"},
		"another audience":          {"aud": "x"},
		"another audience, expired": {"aud": "x", "exp": noon.Unix() - 3600, "iat": nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := verifier()
			v.Keys = func(context.Context, string, time.Time) ([]jose.JSONWebKey, error) {
				t.Error("the issuer was asked for a token that cannot pass")
				return nil, token.ErrUnknownKey
			}
			_, err := v.Verify(t.Context(), mint(t, changes))
			require.Error(t, err)
		})
	}
}

// TestAgeIsJudgedLast judges expired tokens that have another fault as well.
func TestAgeIsJudgedLast(t *testing.T) {
	t.Parallel()
	expired := map[string]any{"exp": noon.Unix() - 3600, "iat": noon.Unix() - 7200}
	with := func(name string, value any) map[string]any {
		claims := maps.Clone(expired)
		claims[name] = value
		return claims
	}
	keys := func(err error) func(*token.Verifier) {
		return func(v *token.Verifier) {
			v.Keys = func(context.Context, string, time.Time) ([]jose.JSONWebKey, error) { return nil, err }
		}
	}
	away := keys(&token.UnavailableError{RetryAfter: time.Minute})
	typed := func(v *token.Verifier) { v.Types = []string{"at+jwt"} }
	other := func(v *token.Verifier) {
		v.Keys = token.StaticKeys(jose.JSONWebKey{Key: newRSAKey(2048).Public(), KeyID: "one"})
	}
	for name, test := range map[string]struct {
		claims map[string]any
		change func(*token.Verifier)
		want   token.Reason
		read   bool
	}{
		"nothing":                     {expired, nil, token.Expired, true},
		"a key that is gone":          {expired, keys(token.ErrUnknownKey), token.UnknownKey, false},
		"another key":                 {expired, other, token.BadSignature, false},
		"keys that cannot be fetched": {expired, away, token.Expired, false},
		"another type":                {expired, typed, token.TypeNotAllowed, false},
		"a bound key":                 {with("cnf", map[string]any{"jkt": "x"}), nil, token.BoundToKey, false},
		"not valid yet":               {with("nbf", noon.Unix()+3600), nil, token.NotYetValid, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := verifier()
			if test.change != nil {
				test.change(v)
			}
			claims, err := v.Verify(t.Context(), mint(t, test.claims))
			assert.Equal(t, test.want, reasonOf(t, err))
			assert.Equal(t, test.read, claims != nil)
		})
	}
}

func TestWhatCannotBeToldIsNotCalledBad(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	tests := map[string]func(*token.Verifier){
		"no keys":           func(v *token.Verifier) { v.Keys = nil },
		"no issuer":         func(v *token.Verifier) { v.Issuer = "" },
		"no audience":       func(v *token.Verifier) { v.Audiences = nil },
		"an empty audience": func(v *token.Verifier) { v.Audiences = []string{""} },
		"keys unavailable": func(v *token.Verifier) {
			v.Keys = func(context.Context, string, time.Time) ([]jose.JSONWebKey, error) {
				return nil, &token.UnavailableError{RetryAfter: time.Minute, Err: broken}
			}
		},
		"a source that fails": func(v *token.Verifier) {
			v.Keys = func(context.Context, string, time.Time) ([]jose.JSONWebKey, error) { return nil, broken }
		},
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := verifier()
			change(v)
			_, err := v.Verify(t.Context(), mint(t, nil))
			var unavailable *token.UnavailableError
			require.ErrorAs(t, err, &unavailable)
			assert.GreaterOrEqual(t, unavailable.RetryAfter, time.Second)
		})
	}
}

func TestAKeyIsForOneAlgorithm(t *testing.T) {
	t.Parallel()
	v := verifier()
	v.Keys = token.StaticKeys(jose.JSONWebKey{Key: rsaKey().Public(), KeyID: "one", Algorithm: "RS512"})
	_, err := v.Verify(t.Context(), mint(t, nil))
	assert.Equal(t, token.BadSignature, reasonOf(t, err))
}

func TestAPrivateKeyServesAsItsPublicHalf(t *testing.T) {
	t.Parallel()
	v := verifier()
	v.Keys = token.StaticKeys(jose.JSONWebKey{Key: rsaKey(), KeyID: "one"})
	_, err := v.Verify(t.Context(), mint(t, nil))
	require.NoError(t, err)
}
