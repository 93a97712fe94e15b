package broker_test

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server/broker"
)

// A clientsFile is the file of pre-registered clients of a test.
type clientsFile struct {
	t    *testing.T
	name string
}

// newClientsFile writes a file with these entries.
func newClientsFile(t *testing.T, entries ...string) *clientsFile {
	t.Helper()
	f := &clientsFile{t, filepath.Join(t.TempDir(), "clients.json")}
	f.write(entries...)
	return f
}

func (f *clientsFile) write(entries ...string) {
	f.t.Helper()
	f.writeText(`{"clients":[` + strings.Join(entries, ",") + `]}`)
}

func (f *clientsFile) writeText(text string) {
	f.t.Helper()
	require.NoError(f.t, os.WriteFile(f.name, []byte(text), 0o600))
}

// preregistered returns an entry of the file for a site, and the client.
func preregistered(t *testing.T, id string) (entry string, made registered) {
	t.Helper()
	secret, hash, err := broker.NewClientSecret(rand.Reader)
	require.NoError(t, err)
	entry = fmt.Sprintf(`{"client_id":%q,"client_name":"Reports","redirect_uris":[%q],`+
		`"token_endpoint_auth_method":"client_secret_basic","client_secret_hashes":[%q]}`, id, appURI, hash)
	return entry, registered{ID: id, Secret: secret}
}

// codeAt signs in for the redirect URI of a site, and returns the authorization response.
func (e *env) codeAt(c registered, b *browser) string {
	return e.code(c, b, "redirect_uri", appURI).Get("code")
}

// TestSecretNeedNotBeEncoded sends a secret that form-encoding changes, as clients do that encode
// nothing.
func TestSecretNeedNotBeEncoded(t *testing.T) {
	t.Parallel()
	const secret = "q+8/3%41zW0Lk5vT7yB2nR6xC9dF1gH4jK"
	hash, err := broker.HashClientSecret(secret)
	require.NoError(t, err)
	entry := fmt.Sprintf(`{"client_id":"reports","client_name":"Reports","redirect_uris":[%q],`+
		`"token_endpoint_auth_method":"client_secret_basic","client_secret_hashes":[%q]}`, appURI, hash)
	e := newEnv(t, options{clients: broker.ClientPolicy{File: newClientsFile(t, entry).name}})
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"x"}}
	for sent, want := range map[string]string{
		basic("reports", secret):                                          "invalid_grant",
		"Basic " + b64("reports:"+secret):                                 "invalid_grant",
		"Basic " + b64("reports:"+strings.Replace(secret, "%41", "A", 1)): "invalid_client",
		"Basic " + b64("reports:%zz"):                                     "invalid_client",
	} {
		got, _ := e.token(form, "Authorization", sent)
		assert.Equal(t, want, got.Error, sent)
	}
}

func TestPreregisteredClientSignsIn(t *testing.T) {
	t.Parallel()
	entry, c := preregistered(t, "reports")
	e := newEnv(t, options{clients: broker.ClientPolicy{File: newClientsFile(t, entry).name}})
	b := e.browser()

	declined := e.decide(b, b.get(e.request(c, "redirect_uri", appURI)), "deny")
	assert.Contains(t, declined.body, "http-equiv", "the operator trusts the redirect URI")
	page := b.get(e.request(c, "redirect_uri", appURI))
	assert.Contains(t, page.body, "The operator of this server has registered this program.")

	form := redemption(c, e.codeAt(c, b))
	form.Set("redirect_uri", appURI)
	form.Del("client_id")
	_, status := e.token(form, "Authorization", basic(c.ID, c.Secret+"x"))
	assert.Equal(t, http.StatusUnauthorized, status)
	got, status := e.token(form, "Authorization", basic(c.ID, c.Secret))
	require.Equal(t, http.StatusOK, status, got.Error)
	_, status = e.token(refreshing(c, got.Refresh), "Authorization", basic(c.ID, c.Secret))
	assert.Equal(t, http.StatusOK, status)
	assert.True(t, e.skips(b, c), "consent is asked once")
}

// TestOperatorNamesClients looks at the pages that show the names of clients.
func TestOperatorNamesClients(t *testing.T) {
	t.Parallel()
	file := newClientsFile(t, `{"client_id":"tool","client_name":"Reports","token_endpoint_auth_method":"none",`+
		`"redirect_uris":["`+loopback+`"]}`)
	e := newEnv(t, options{clients: broker.ClientPolicy{File: file.name}})
	b := e.browser()
	c := registered{ID: "tool"}
	page := b.get(e.request(c)).body
	assert.Contains(t, page, "The operator of this server has registered this program.")
	assert.Contains(t, page, "Any program on this computer can say that it is this one.", "it has no secret")
	assert.NotContains(t, page, "chose this name")
	e.signedInWith(b, c, "")
	e.signedInWith(b, e.named("Notes", loopback), "")
	connections := e.connections(b)
	assert.Regexp(t, `(?s)<h2><bdi>Reports</bdi>.*?Name chosen by</dt><dd>the operator of this server<`, connections)
	assert.Regexp(t, `(?s)<h2><bdi>Notes</bdi>.*?Name chosen by</dt><dd>the program itself<`, connections)
}

func TestClientFileIsReadAgain(t *testing.T) {
	t.Parallel()
	first, one := preregistered(t, "one")
	second, two := preregistered(t, "two")
	file := newClientsFile(t, first)
	log := &logText{}
	e := newEnv(t, options{log: log, clients: broker.ClientPolicy{File: file.name}})
	known := func(c registered) bool {
		return e.browser().get(e.request(c, "redirect_uri", appURI)).status == http.StatusOK
	}
	assert.True(t, known(one))
	assert.False(t, known(two))

	file.write(second)
	assert.False(t, known(two), "the file is read at most once a second")
	e.later(time.Second)
	assert.True(t, known(two))
	assert.False(t, known(one))

	file.write(first, first)
	for range 3 {
		e.later(time.Second)
		assert.True(t, known(two), "a broken file keeps the clients")
	}
	assert.Equal(t, 1, strings.Count(log.String(), "is there twice"), log.String())
	assert.Contains(t, log.String(), "AUTH_CLIENTS_FILE")

	file.write(first, second)
	require.NoError(t, os.Chmod(file.name, 0o620))
	e.later(time.Second)
	assert.False(t, known(one), "others can write the file")
	assert.Contains(t, log.String(), "other users can write")
	require.NoError(t, os.Chmod(file.name, 0o640))
	e.later(time.Second)
	assert.True(t, known(one))

	require.NoError(t, os.Remove(file.name))
	e.later(time.Second)
	assert.True(t, known(one))
}

func TestClientFileRefuses(t *testing.T) {
	t.Parallel()
	e := newEnv(t, options{})
	hash := `"sha256:47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"`
	entry := func(rest string) string {
		return `{"clients":[{"client_id":"a","redirect_uris":["https://a.example/cb"],` + rest + `}]}`
	}
	both := `"grant_types":["authorization_code","client_credentials"]`
	public := `"token_endpoint_auth_method":"none"`
	secret := `"token_endpoint_auth_method":"client_secret_basic","client_secret_hashes":[` + hash + `]`
	for _, test := range []struct{ text, want string }{
		{``, "not JSON"},
		{`[]`, "has another type"},
		{`{}`, `the member "clients"`},
		{`{"client":[]}`, "/client is not known"},
		{entry(public) + "{}", "not JSON"},
		{entry(public + `,"client_secret":"s3cret"`), "client_secret is not known"},
		{entry(public + `,` + public), "twice"},
		{entry(`"client_name":"x"`), "token_endpoint_auth_method"},
		{entry(public + `,"client_secret_hashes":[` + hash + `]`), "client_secret_hashes is not for"},
		{entry(`"token_endpoint_auth_method":"client_secret_post"`), "want 1 to 5 hashes"},
		{entry(`"token_endpoint_auth_method":"client_secret_post","client_secret_hashes":["hush"]`), "client secret"},
		{entry(public + `,"grant_types":["implicit"]`), "implicit"},
		{entry(public + `,"grant_types":[]`), "grant_types is empty"},
		{entry(public + `,"grant_types":["refresh_token"]`), "lacks authorization_code"},
		{entry(public + `,"scope":"user.read"`), "scope is for client_credentials"},
		{entry(public + `,` + both + `,"scope":"x"`), "has to authenticate"},
		{entry(secret + `,` + both), "scope is missing"},
		{`{"clients":[{"client_id":"a",` + public + `}]}`, "redirect_uris is missing"},
		{`{"clients":[{"client_id":"a","introspection":true,` + public + `}]}`, "has to authenticate"},
		{`{"clients":[{"client_id":"a","grant_types":[],` + secret + `}]}`, "grant_types is empty"},
		{entry(public + `,"introspection":"yes"`), "another type"},
		{`{"clients":[{"client_id":"",` + public + `}]}`, "want a client_id"},
		{`{"clients":[{"client_id":"https://a.example/x",` + public + `}]}`, "not a URL"},
		{strings.Replace(entry(public), "https", "http", 1), "neither https nor http"},
	} {
		file := newClientsFile(t)
		file.writeText(test.text)
		_, err := e.tryStart(options{clients: broker.ClientPolicy{File: file.name}})
		require.ErrorContains(t, err, test.want, test.text)
		assert.ErrorContains(t, err, "AUTH_CLIENTS_FILE")
		assert.NotContains(t, err.Error(), "s3cret")
		assert.NotContains(t, err.Error(), "hush")
	}
	_, err := e.tryStart(options{clients: broker.ClientPolicy{File: filepath.Join(t.TempDir(), "nowhere.json")}})
	require.ErrorContains(t, err, "nowhere.json")
}

// TestShortSecretIsRefused writes the hash of a short secret by hand. The command refuses to make
// it, and the broker sees the secret only when it comes.
func TestShortSecretIsRefused(t *testing.T) {
	t.Parallel()
	const short = "hunter2"
	_, err := broker.HashClientSecret(short)
	require.ErrorContains(t, err, "128 bits")
	for _, secret := range []string{
		"correct-horse-battery", strings.Repeat("a", 64), strings.Repeat("0123456789", 3),
		"0123456789abcdef0123456789abcde",
	} {
		_, err := broker.HashClientSecret(secret)
		require.Error(t, err, secret)
	}
	for _, secret := range []string{
		"0123456789abcdef0123456789abcdef", "tGzv3JOkF0XG5Qx2TlKWIA", "01234567-89ab-cdef-0123-456789abcdef",
	} {
		_, err := broker.HashClientSecret(secret)
		require.NoError(t, err, secret)
	}

	entry, c := preregistered(t, "reports")
	_, hash, found := strings.Cut(entry, "sha256:")
	require.True(t, found)
	entry = strings.ReplaceAll(entry, hash[:43], b64sha256(short))
	log := &logText{}
	e := newEnv(t, options{log: log, clients: broker.ClientPolicy{File: newClientsFile(t, entry).name}})
	_, status := e.token(refreshing(c, "x"), "Authorization", basic(c.ID, short))
	assert.Equal(t, http.StatusUnauthorized, status)
	assert.Contains(t, log.String(), "too few bits")
	assert.NotContains(t, log.String(), short)
}

func TestGrantTypesOfPreregisteredClient(t *testing.T) {
	t.Parallel()
	entry, c := preregistered(t, "reports")
	entry = strings.Replace(entry, `{`, `{"grant_types":["authorization_code"],`, 1)
	e := newEnv(t, options{clients: broker.ClientPolicy{File: newClientsFile(t, entry).name}})
	form := redemption(c, e.codeAt(c, e.browser()))
	form.Set("redirect_uri", appURI)
	got, status := e.token(form, "Authorization", basic(c.ID, c.Secret))
	require.Equal(t, http.StatusOK, status)
	assert.Empty(t, got.Refresh, "the client may not refresh")
	got, status = e.token(refreshing(c, "x"), "Authorization", basic(c.ID, c.Secret))
	assert.Equal(t, http.StatusBadRequest, status)
	assert.Equal(t, "unauthorized_client", got.Error)
}
