package token_test

import (
	"context"
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

func TestVerifyAccepts(t *testing.T) {
	t.Parallel()
	tests := map[string]map[string]any{
		"no change":                       nil,
		"one audience of several":         {"aud": []string{"https://other.example", audience}},
		"expired within the leeway":       {"exp": noon.Unix() - 59},
		"valid only within the leeway":    {"nbf": noon.Unix() + 60, "iat": noon.Unix() + 60},
		"times with a fraction":           {"exp": float64(noon.Unix()) + 10.5},
		"no iat and no nbf":               {"iat": nil, "nbf": nil},
		"unknown claims":                  {"https://example.com/claim": map[string]any{"a": []int{1}}},
		"other names of known claims":     {"expires": 1, "audience": "x"},
		"nested name in another case":     {"x": map[string]any{"EXP": 1}},
		"last year that can be formatted": {"exp": 253402300799},
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

func TestVerifyRefuses(t *testing.T) {
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
	foreign := func(header string) func(*testing.T) string {
		return func(t *testing.T) string { return signWith(t, newRSAKey(2048), header, good) }
	}
	body := func(payload string) func(*testing.T) string {
		return func(t *testing.T) string { return signRS256(t, header, payload) }
	}
	// with adds members before the members of a good payload.
	with := func(members string) func(*testing.T) string { return body("{" + members + "," + good[1:]) }
	change := func(f func(raw string) string) func(*testing.T) string {
		return func(t *testing.T) string { return f(mint(t, nil)) }
	}
	tests := []struct {
		name   string
		token  func(*testing.T) string
		reason token.Reason
	}{
		// The form.
		{"empty", func(*testing.T) string { return "" }, token.NotThreeParts},
		{"one part", func(*testing.T) string { return "abc" }, token.NotThreeParts},
		{
			"missing signature",
			change(func(raw string) string { return raw[:strings.LastIndexByte(raw, '.')] }),
			token.NotThreeParts,
		},
		{"five parts of a JWE", change(func(raw string) string { return raw + ".a.b" }), token.NotThreeParts},
		{"million dots", func(*testing.T) string { return strings.Repeat(".", 1<<20) }, token.Oversized},
		{"larger than allowed", claim("x", strings.Repeat("a", 20<<10)), token.Oversized},
		{"JSON serialization", func(*testing.T) string { return `{"payload":"a.b.c"}` }, token.BadEncoding},
		{
			"detached payload",
			change(func(raw string) string { return part(raw, 0) + ".." + part(raw, 2) }),
			token.BadClaims,
		},
		{
			"empty header",
			change(func(raw string) string { return "." + part(raw, 1) + "." + part(raw, 2) }),
			token.BadEncoding,
		},
		{
			"empty signature",
			change(func(raw string) string { return part(raw, 0) + "." + part(raw, 1) + "." }),
			token.BadEncoding,
		},
		{"padding", change(func(raw string) string { return raw + "==" }), token.BadEncoding},
		{
			"other base64 alphabet",
			change(func(raw string) string { return raw[:len(raw)-1] + "+" }),
			token.BadEncoding,
		},
		{
			"line break inside",
			change(func(raw string) string { return raw[:9] + "\n" + raw[9:] }),
			token.BadEncoding,
		},
		{
			"blank inside",
			change(func(raw string) string { return raw[:9] + " " + raw[9:] }),
			token.BadEncoding,
		},
		{"spare bits are set", change(spareBits), token.BadEncoding},
		{"header in an array", head(`["RS256"]`), token.BadHeader},
		{"header with a byte order mark", head("\xef\xbb\xbf" + header), token.BadHeader},
		{"header with bad UTF-8", head("{\"alg\":\"RS256\",\"kid\":\"one\",\"x\":\"\xff\"}"), token.BadHeader},
		{"lone surrogate", head(`{"alg":"RS256","kid":"one","x":"\ud800"}`), token.BadHeader},
		{"text after the header", head(header + " {}"), token.BadHeader},
		{"algorithm twice", head(`{"alg":"none","alg":"RS256","kid":"one"}`), token.BadHeader},
		{"key ID twice", head(`{"alg":"RS256","kid":"x","kid":"one"}`), token.BadHeader},
		{"algorithm in another case", head(`{"alg":"RS256","Alg":"none","kid":"one"}`), token.BadHeader},
		{"payload in an array", body(`[` + good + `]`), token.BadClaims},
		{"payload in a string", body(`"x"`), token.BadClaims},
		{"text after the payload", body(good + `{"a":1}`), token.BadClaims},
		{"ten thousand levels", body(`{"x":` + strings.Repeat("[", 10001)), token.BadClaims},
		{"five thousand open brackets", body(`{"x":` + strings.Repeat("[", 5000)), token.BadClaims},
		{"bad UTF-8 in a claim", with("\"x\":\"\xff\""), token.BadClaims},
		{"audience twice", with(`"aud":"other"`), token.BadClaims},
		{"scope twice", with(`"scp":"admin"`), token.BadClaims},
		{"name twice, deep inside", with(`"x":{"a":1,"a":2}`), token.BadClaims},
		{"audience in another case", with(`"AUD":"other"`), token.BadClaims},
		{"expiry in another case", with(`"Exp":9999999999`), token.BadClaims},
		{"issuer with a long s", with(`"iſs":"x"`), token.BadClaims},
		{"escaped name twice", with(`"\u0061ud":"other"`), token.BadClaims},

		// The header.
		{"alg none", head(`{"alg":"none","kid":"one"}`), token.AlgorithmNotAllowed},
		{"alg None", head(`{"alg":"None","kid":"one"}`), token.AlgorithmNotAllowed},
		{"alg nOnE", head(`{"alg":"nOnE","kid":"one"}`), token.AlgorithmNotAllowed},
		{"alg empty", head(`{"alg":"","kid":"one"}`), token.AlgorithmNotAllowed},
		{"alg missing", head(`{"kid":"one"}`), token.AlgorithmNotAllowed},
		{"alg in lower case", head(`{"alg":"rs256","kid":"one"}`), token.AlgorithmNotAllowed},
		{"alg with a blank", head(`{"alg":" RS256","kid":"one"}`), token.AlgorithmNotAllowed},
		{"alg null", head(`{"alg":null,"kid":"one"}`), token.BadHeader},
		{"alg an array", head(`{"alg":["RS256"],"kid":"one"}`), token.BadHeader},
		{"alg RS384", head(`{"alg":"RS384","kid":"one"}`), token.AlgorithmNotAllowed},
		{"alg PS256", head(`{"alg":"PS256","kid":"one"}`), token.AlgorithmNotAllowed},
		{"alg of another key", head(`{"alg":"ES256","kid":"one"}`), token.BadSignature},
		{"unknown extension", head(`{"alg":"RS256","kid":"one","crit":["x"],"x":1}`), token.BadHeader},
		{"empty crit", head(`{"alg":"RS256","kid":"one","crit":[]}`), token.BadHeader},
		{"crit names a claim", head(`{"alg":"RS256","kid":"one","crit":["exp"],"exp":1}`), token.BadHeader},
		{"unencoded payload", head(`{"alg":"RS256","kid":"one","crit":["b64"],"b64":false}`), token.BadHeader},
		{"b64 without crit", head(`{"alg":"RS256","kid":"one","b64":false}`), token.BadHeader},
		{
			"key in the header",
			head(`{"alg":"RS256","kid":"one","jwk":{"kty":"RSA","n":"AQ","e":"AQAB"}}`),
			token.BadHeader,
		},
		{
			"URL of keys",
			head(`{"alg":"RS256","kid":"one","jku":"https://evil.example/keys"}`),
			token.BadHeader,
		},
		{"meaningless certificate chain", head(`{"alg":"RS256","kid":"one","x5c":["MIIB"]}`), token.BadHeader},
		{"thumbprint of a foreign key", foreign(`{"alg":"RS256","kid":"one","x5t":"AAAA"}`), token.BadSignature},
		{
			"URL of a certificate chain",
			head(`{"alg":"RS256","kid":"one","x5u":"https://evil.example/chain"}`),
			token.BadHeader,
		},
		{"compressed", head(`{"alg":"RS256","kid":"one","zip":"DEF"}`), token.BadHeader},
		{"nested token", head(`{"alg":"RS256","kid":"one","cty":"JWT"}`), token.BadHeader},
		{"no key ID", head(`{"alg":"RS256"}`), token.NoKeyID},
		{"key ID with a path", head(`{"alg":"RS256","kid":"../../../../dev/null"}`), token.UnknownKey},
		{"key ID with SQL", head(`{"alg":"RS256","kid":"' OR 1=1--"}`), token.UnknownKey},
		{"key ID with a NUL", head(`{"alg":"RS256","kid":"one\u0000"}`), token.UnknownKey},
		{"key ID in an array", head(`{"alg":"RS256","kid":["one"]}`), token.BadHeader},
		{"key ID is a number", head(`{"alg":"RS256","kid":1}`), token.BadHeader},
		{"long key ID", head(`{"alg":"RS256","kid":"` + strings.Repeat("a", 600) + `"}`), token.BadHeader},
		{"ID of another key", head(`{"alg":"RS256","kid":"two"}`), token.BadSignature},

		// The claims.
		{
			"another tenant",
			claim("iss", strings.Replace(issuerName, "5a1e0001", "5a1e0009", 1)),
			token.WrongIssuer,
		},
		{
			"v1 issuer",
			claim("iss", "https://sts.windows.net/5a1e0001-0000-4000-8000-000000000001/"),
			token.WrongIssuer,
		},
		{
			"template as issuer",
			claim("iss", "https://login.microsoftonline.com/{tenantid}/v2.0"),
			token.WrongIssuer,
		},
		{"issuer with a slash", claim("iss", issuerName+"/"), token.WrongIssuer},
		{"issuer in capitals", claim("iss", strings.ToUpper(issuerName)), token.WrongIssuer},
		{
			"issuer over http",
			claim("iss", strings.Replace(issuerName, "https", "http", 1)),
			token.WrongIssuer,
		},
		{"no issuer", claim("iss", nil), token.WrongIssuer},
		{"issuer in an array", claim("iss", []string{issuerName}), token.BadClaims},
		{"another audience", claim("aud", "00000003-0000-0000-c000-000000000000"), token.WrongAudience},
		{"longer audience", claim("aud", audience+"2"), token.WrongAudience},
		{"shorter audience", claim("aud", audience[:len(audience)-1]), token.WrongAudience},
		{"audience is the origin", claim("aud", "https://mcp.example"), token.WrongAudience},
		{"audience with a slash", claim("aud", audience+"/"), token.WrongAudience},
		{"other audiences", claim("aud", []string{"other"}), token.WrongAudience},
		{"no audience", claim("aud", nil), token.WrongAudience},
		{"empty list of audiences", claim("aud", []string{}), token.WrongAudience},
		{
			"audience is null",
			body(strings.Replace(good, `"aud":"`+audience+`"`, `"aud":null`, 1)),
			token.BadClaims,
		},
		{"audience and a number", claim("aud", []any{audience, 1}), token.BadClaims},
		{"audience inside an object", claim("aud", map[string]any{"x": audience}), token.BadClaims},
		{"expired", claim("exp", noon.Unix()-60), token.Expired},
		{"no expiry", claim("exp", nil), token.NoExpiry},
		{"expiry is null", with(`"exp":null`), token.BadClaims},
		{"expiry is a text", claim("exp", fmt.Sprint(noon.Unix()+3600)), token.BadClaims},
		{"expiry is 0", claim("exp", 0), token.BadClaims},
		{"expiry is -1", claim("exp", -1), token.BadClaims},
		{
			"infinite expiry",
			body(strings.Replace(good, fmt.Sprint(noon.Unix()+3600), "1e400", 1)),
			token.BadClaims,
		},
		{"expiry after the year 9999", claim("exp", 253402300800), token.BadClaims},
		{"not valid yet", claim("nbf", noon.Unix()+61), token.NotYetValid},
		{"nbf is a text", claim("nbf", "now"), token.BadClaims},
		{"bound to a DPoP key", claim("cnf", map[string]any{"jkt": "x"}), token.BoundToKey},
		{"empty cnf", claim("cnf", map[string]any{}), token.BoundToKey},
		{"issued in the future", claim("iat", noon.Unix()+61), token.NotYetValid},
		{
			"issued after the expiry",
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

		// The signature.
		{
			"foreign key",
			func(t *testing.T) string { return signWith(t, newRSAKey(2048), header, good) },
			token.BadSignature,
		},
		{"another payload", change(func(raw string) string {
			return part(raw, 0) + "." + encode(strings.Replace(good, "user.read", "user.admin", 1)) + "." + part(raw, 2)
		}), token.BadSignature},
		{"changed bit of the signature", change(flipSignature), token.BadSignature},
		{"half a signature", change(func(raw string) string {
			return part(raw, 0) + "." + part(raw, 1) + "." + part(raw, 2)[:len(part(raw, 2))/2/4*4]
		}), token.BadSignature},
		{"signature of zeros", func(*testing.T) string {
			return encode(`{"alg":"ES256","kid":"two"}`) + "." + encode(good) + "." + encode(strings.Repeat("\x00", 64))
		}, token.BadSignature},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := verifier().Verify(t.Context(), test.token(t))
			assert.Equal(t, test.reason, reasonOf(t, err))
		})
	}
}

func TestVerifyChecksType(t *testing.T) {
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

func TestVerifyAppliesExpiryLeeway(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		leeway time.Duration
		ago    int64
		fine   bool
	}{
		"default, last second":      {0, 59, true},
		"default, exceeded":         {0, 60, false},
		"five seconds, last second": {5 * time.Second, 4, true},
		"five seconds, exceeded":    {5 * time.Second, 5, false},
		"no leeway, last second":    {-1, -1, true},
		"no leeway, exceeded":       {-1, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := verifier()
			v.ExpiryLeeway = test.leeway
			// The leeway of nbf and iat stays the same.
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

func TestVerifyAppliesLeeway(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		leeway time.Duration
		exp    int64
		fine   bool
	}{
		"default, last second":      {0, -59, true},
		"default, exceeded":         {0, -60, false},
		"no leeway, last second":    {-1, 1, true},
		"no leeway, exceeded":       {-1, 0, false},
		"five minutes, last second": {5 * time.Minute, -299, true},
		"five minutes, exceeded":    {5 * time.Minute, -300, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := verifier()
			v.Leeway = test.leeway
			times := map[string]any{"exp": noon.Unix() + test.exp, "iat": noon.Unix() - 600}
			_, err := v.Verify(t.Context(), mint(t, times))
			if test.fine {
				require.NoError(t, err)
				return
			}
			assert.Equal(t, token.Expired, reasonOf(t, err))
		})
	}
}

func TestVerifyChecksClaimsFirst(t *testing.T) {
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
				t.Error("Verify asked for the key of a token that cannot pass")
				return nil, token.ErrUnknownKey
			}
			_, err := v.Verify(t.Context(), mint(t, changes))
			require.Error(t, err)
		})
	}
}

// TestVerifyChecksExpiryLast verifies expired tokens that have another fault too.
func TestVerifyChecksExpiryLast(t *testing.T) {
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
	unavailable := keys(&token.UnavailableError{RetryAfter: time.Minute})
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
		"no other fault":              {expired, nil, token.Expired, true},
		"withdrawn key":               {expired, keys(token.ErrUnknownKey), token.UnknownKey, false},
		"another key":                 {expired, other, token.BadSignature, false},
		"keys that cannot be fetched": {expired, unavailable, token.Expired, false},
		"another type":                {expired, typed, token.TypeNotAllowed, false},
		"bound to a key":              {with("cnf", map[string]any{"jkt": "x"}), nil, token.BoundToKey, false},
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

func TestVerifyIsUnavailable(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	tests := map[string]func(*token.Verifier){
		"no keys":        func(v *token.Verifier) { v.Keys = nil },
		"no issuer":      func(v *token.Verifier) { v.Issuer = "" },
		"no audience":    func(v *token.Verifier) { v.Audiences = nil },
		"empty audience": func(v *token.Verifier) { v.Audiences = []string{""} },
		"keys unavailable": func(v *token.Verifier) {
			v.Keys = func(context.Context, string, time.Time) ([]jose.JSONWebKey, error) {
				return nil, &token.UnavailableError{RetryAfter: time.Minute, Err: broken}
			}
		},
		"source fails": func(v *token.Verifier) {
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

func TestVerifyChecksAlgorithmOfKey(t *testing.T) {
	t.Parallel()
	v := verifier()
	v.Keys = token.StaticKeys(jose.JSONWebKey{Key: rsaKey().Public(), KeyID: "one", Algorithm: "RS512"})
	_, err := v.Verify(t.Context(), mint(t, nil))
	assert.Equal(t, token.BadSignature, reasonOf(t, err))
}

func TestStaticKeysKeepsPublicHalf(t *testing.T) {
	t.Parallel()
	v := verifier()
	v.Keys = token.StaticKeys(jose.JSONWebKey{Key: rsaKey(), KeyID: "one"})
	_, err := v.Verify(t.Context(), mint(t, nil))
	require.NoError(t, err)
}
