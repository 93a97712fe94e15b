package fakeentra_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/directory"
)

// A recording is a file of testdata/entra: an answer of Entra ID, typed from what its Source names,
// with the default directory's names in it and placeholders for what differs each time.
type recording struct {
	Source   string
	Path     string            // of a GET, or
	Request  map[string]string // the form of a request to the token endpoint
	Status   int               // 0 means 200
	Document json.RawMessage
	Issuers  []string // of keys.json: the values of {issuer}
}

func readGolden(t *testing.T, file string, into any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../testdata/entra", file))
	require.NoError(t, err)
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.DisallowUnknownFields()
	require.NoError(t, decoder.Decode(into), file)
}

// placeholders replace the values in recordings that differ each time.
var placeholders = map[string]string{
	"{guid}":        `[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`,
	"{timestamp}":   `\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ`,
	"{date}":        `\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d`,
	"{jwt}":         `[\w-]+\.[\w-]+\.[\w-]+`,
	"{thumbprint}":  `[\w-]{27}`,
	"{modulus}":     `[\w-]{342}`,
	"{certificate}": `[A-Za-z0-9+/]+=*`,
	"{pairwise}":    `[\w-]{43}`,
	"{issuer}":      `https://\S+`,
	"{sentence}":    `[^\r\n]+`,
}

// same compares two documents member by member, in the order of the wire.
func same(t *testing.T, where string, want, got json.RawMessage) {
	t.Helper()
	switch want[0] {
	case '{':
		require.Equal(t, members(t, string(want)), members(t, string(got)), where)
		var wanted, had map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(want, &wanted))
		require.NoError(t, json.Unmarshal(got, &had))
		for name, value := range wanted {
			same(t, where+" "+name, value, had[name])
		}
	case '[':
		var wanted, had []json.RawMessage
		require.NoError(t, json.Unmarshal(want, &wanted))
		require.NoError(t, json.Unmarshal(got, &had))
		require.Len(t, had, len(wanted), where)
		for i, value := range wanted {
			same(t, where, value, had[i])
		}
	case '"':
		var text string
		require.NoError(t, json.Unmarshal(want, &text))
		if text == "{seconds}" {
			assert.Regexp(t, `^\d{4}$`, string(got), where)
			return
		}
		pattern := regexp.QuoteMeta(text)
		for name, expression := range placeholders {
			pattern = strings.ReplaceAll(pattern, regexp.QuoteMeta(name), expression)
		}
		var had string
		require.NoError(t, json.Unmarshal(got, &had), where)
		assert.Regexp(t, "^"+pattern+"$", had, where)
	default:
		assert.JSONEq(t, string(want), string(got), where)
	}
}

// filesWithTests have tests of their own.
var filesWithTests = []string{
	"error-texts.json",
	"errors.json",
	"keys.json",
	"managed-identity.json",
	"revocation.json",
	"token-claims.json",
}

func TestDocumentsOfEntra(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../testdata/entra/*.json")
	require.NoError(t, err)
	fake := newFake(t, fakeentra.Config{AutoSignIn: true})
	bearer := token(
		t,
		fake,
		redemption(signIn(t, fake, map[string]string{"scope": "openid profile email User.Read"}), nil),
	).text("access_token")
	seen := 0
	for _, path := range files {
		file := filepath.Base(path)
		if slices.Contains(filesWithTests, file) {
			continue
		}
		seen++
		var want recording
		readGolden(t, file, &want)
		require.NotEmpty(t, want.Source, file)
		if want.Status == 0 {
			want.Status = http.StatusOK
		}
		var got answer
		switch {
		case want.Request != nil:
			got = token(t, fake, with(url.Values{}, want.Request))
		case strings.HasPrefix(file, "graph-"):
			r, err := http.NewRequestWithContext(
				t.Context(),
				http.MethodGet,
				"https://graph.microsoft.com"+want.Path,
				nil,
			)
			require.NoError(t, err)
			if want.Status == http.StatusOK {
				r.Header.Set("Authorization", "Bearer "+bearer)
			}
			got = do(t, fake, r)
		default:
			got = get(t, fake, login+want.Path)
		}
		assert.Equal(t, want.Status, got.Status, file)
		same(t, file, want.Document, json.RawMessage(got.Body))
	}
	assert.GreaterOrEqual(t, seen, 15)
}

// The key sets have several keys of one shape, each with the issuer that it signs for.
func TestKeySetOfEntra(t *testing.T) {
	t.Parallel()
	var want recording
	readGolden(t, "keys.json", &want)
	var shape, got struct{ Keys []json.RawMessage }
	require.NoError(t, json.Unmarshal(want.Document, &shape))
	require.NoError(t, json.Unmarshal([]byte(get(t, newFake(t, fakeentra.Config{}), login+want.Path).Body), &got))
	require.Greater(t, len(got.Keys), 2)
	issuers := map[string]bool{}
	for _, key := range got.Keys {
		same(t, "keys.json", shape.Keys[0], key)
		var one struct{ Issuer string }
		require.NoError(t, json.Unmarshal(key, &one))
		issuers[one.Issuer] = true
	}
	assert.ElementsMatch(t, want.Issuers, slices.Collect(maps.Keys(issuers)))
}

// Tokens of each kind have the members of Entra ID's, and no other.
func TestTokensOfEntra(t *testing.T) {
	t.Parallel()
	var all []struct {
		Source, Token  string
		Header, Claims []string
	}
	readGolden(t, "token-claims.json", &all)
	const api = "api://" + directory.DefaultAPIID
	of := func(version int, changes map[string]string) answer {
		fake := newFake(
			t,
			fakeentra.Config{
				AutoSignIn: true,
				Directory:  changed(func(t *directory.Tenant) { t.Apps[1].TokenVersion = version }),
			},
		)
		return token(t, fake, redemption(signIn(t, fake, changes), nil))
	}
	app := func(version int) string {
		fake := newFake(
			t,
			fakeentra.Config{Directory: changed(func(t *directory.Tenant) { t.Apps[1].TokenVersion = version })},
		)
		return token(t, fake, url.Values{
			"grant_type":    {"client_credentials"},
			"client_id":     {directory.DefaultClientID},
			"client_secret": {directory.DefaultClientSecret},
			"scope":         {api + "/.default"},
		}).text("access_token")
	}
	made := map[string]string{
		"v2 app-only":  app(2),
		"v1 app-only":  app(1),
		"v1 delegated": of(1, map[string]string{"scope": apiScope}).text("access_token"),
		"v2 delegated": of(2, map[string]string{"scope": apiScope}).text("access_token"),
		"Graph delegated": of(
			2,
			map[string]string{"scope": "openid profile email User.Read"},
		).text("access_token"),
		"v2 ID token":                 of(2, map[string]string{"scope": "openid profile email"}).text("id_token"),
		"v2 ID token of openid alone": of(2, map[string]string{"scope": "openid", "nonce": ""}).text("id_token"),
	}
	for _, one := range all {
		require.NotEmpty(t, one.Source)
		require.NotEmpty(t, made[one.Token], one.Token)
		header, payload := claims(t, made[one.Token])
		assert.Equal(t, one.Header, slices.Sorted(maps.Keys(header)), one.Token)
		assert.Equal(t, one.Claims, slices.Sorted(maps.Keys(payload)), one.Token)
	}
	assert.Len(t, all, 7)
}
