package signin_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client/discovery"
	"mcpentra/client/signin"
	"mcpentra/client/tokenrequest"
)

func TestRegistrationSaysWhatTheProgramIs(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		offered []string
		scopes  []string
		method  string
	}{
		"a server that offers no secret":     {[]string{"client_secret_post", "none"}, []string{"a", "b"}, "none"},
		"a server that does not say":         {nil, nil, "none"},
		"a server that wants a secret":       {[]string{"client_secret_post", "client_secret_basic"}, nil, "client_secret_basic"},
		"a server that wants it in the form": {[]string{"private_key_jwt", "client_secret_post"}, nil, "client_secret_post"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var said map[string]any
			issuer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				assert.Equal(t, "application/json", r.Header.Get("Content-Type"))
				assert.Empty(t, r.Header.Get("Authorization"))
				assert.NoError(t, json.NewDecoder(r.Body).Decode(&said))
				w.WriteHeader(http.StatusCreated)
				_, _ = w.Write([]byte(`{"client_id":"f5a3","client_secret":"s-1","client_id_issued_at":1}`))
			}))
			defer issuer.Close()
			client, err := signin.Register(
				t.Context(),
				issuer.Client(),
				&discovery.Issuer{RegistrationEndpoint: issuer.URL, AuthMethods: c.offered},
				signin.Program{Name: "my program", RedirectURI: "http://localhost:3000/callback", Scopes: c.scopes},
			)
			require.NoError(t, err)
			assert.Equal(t, tokenrequest.Client{ID: "f5a3", Secret: "s-1", AuthMethod: c.method}, client)
			want := map[string]any{
				"client_name":                "my program",
				"redirect_uris":              []any{"http://localhost:3000/callback"},
				"response_types":             []any{"code"},
				"grant_types":                []any{"authorization_code", "refresh_token"},
				"application_type":           "native",
				"token_endpoint_auth_method": c.method,
			}
			if c.scopes != nil {
				want["scope"] = strings.Join(c.scopes, " ")
			}
			assert.Equal(t, want, said)
		})
	}
}

var program = signin.Program{Name: "p", RedirectURI: "http://localhost/c"}

func TestRegistrationsThatFail(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status     int
		body, says string
		refused    string
	}{
		"refused": {
			400, `{"error":"invalid_redirect_uri","error_description":"no\u001b[2J"}`, "registration refused: invalid_redirect_uri (no?[2J)", "invalid_redirect_uri",
		},
		"refused without a reason":        {403, `no`, "status 403, want 201", ""},
		"broken":                          {500, ``, "status 500, want 201", ""},
		"without a client ID":             {201, `{"client_secret":"s-1"}`, "no client ID", ""},
		"with a client ID of a terminal":  {201, `{"client_id":"\u001b[2J"}`, "no client ID", ""},
		"with an endless client ID":       {201, `{"client_id":"` + strings.Repeat("x", 3000) + `"}`, "no client ID", ""},
		"with a client ID twice":          {201, `{"client_id":"a","client_id":"b"}`, "no client ID", ""},
		"with no JSON":                    {201, `<p>`, "no client ID", ""},
		"with another way, and no secret": {201, `{"client_id":"a","token_endpoint_auth_method":"client_secret_basic"}`, "without a client_secret", ""},
		"with a way that is not known":    {201, `{"client_id":"a","token_endpoint_auth_method":"private_key_jwt"}`, "no way to authenticate", ""},
		"with megabytes":                  {201, `{"client_id":"` + strings.Repeat("x", 2<<20) + `"}`, "more than 1048576 bytes", ""},
		"with a redirect":                 {307, ``, "status 307, want 201", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			asked := 0
			issuer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked++
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(c.status)
				_, _ = w.Write([]byte(c.body))
			}))
			defer issuer.Close()
			_, err := signin.Register(
				t.Context(),
				issuer.Client(),
				&discovery.Issuer{RegistrationEndpoint: issuer.URL},
				program,
			)
			require.ErrorContains(t, err, c.says)
			assert.NotContains(t, err.Error(), "s-1")
			assert.Equal(t, 1, asked)
			var refused *signin.RefusedError
			if assert.Equal(t, c.refused != "", errors.As(err, &refused)); refused != nil {
				assert.Equal(t, c.refused, refused.Code)
			}
		})
	}
	_, err := signin.Register(t.Context(), nil, &discovery.Issuer{}, program)
	require.ErrorIs(t, err, signin.ErrNoRegistration)
	_, err = signin.Register(
		t.Context(),
		nil,
		&discovery.Issuer{RegistrationEndpoint: "http://localhost:1", AuthMethods: []string{"tls_client_auth"}},
		program,
	)
	require.ErrorContains(t, err, "tls_client_auth")
}

func TestClientsThatAreKnownBeforehand(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		secret  string
		offered []string
		method  string
	}{
		"without a secret":                  {"", []string{"client_secret_basic"}, "none"},
		"with one":                          {"s", nil, "client_secret_basic"},
		"with one, where the form takes it": {"s", []string{"client_secret_post"}, "client_secret_post"},
		"with one that nobody takes":        {"s", []string{"none", "private_key_jwt"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, err := signin.Preregistered(&discovery.Issuer{AuthMethods: c.offered}, "f5a3", c.secret, false)
			if c.method == "" {
				require.ErrorContains(t, err, "takes no client secret")
				return
			}
			require.NoError(t, err)
			assert.Equal(t, tokenrequest.Client{ID: "f5a3", Secret: c.secret, AuthMethod: c.method}, client)
		})
	}
}

// TestRegistrationIsAdjusted to what a server refuses, and no further.
func TestRegistrationIsAdjusted(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		refuses func(said map[string]any) bool
		kinds   []any
		asked   int
		says    string
	}{
		"without the scopes":       {func(said map[string]any) bool { return said["scope"] != nil }, []any{"native"}, 2, ""},
		"as for a web application": {func(said map[string]any) bool { return said["application_type"] != "web" }, []any{"web"}, 3, ""},
		"in vain":                  {func(map[string]any) bool { return true }, nil, 3, "invalid_client_metadata"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			asked := 0
			var kinds []any
			issuer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked++
				var said map[string]any
				assert.NoError(t, json.NewDecoder(r.Body).Decode(&said))
				if c.refuses(said) {
					w.WriteHeader(http.StatusBadRequest)
					_, _ = w.Write([]byte(`{"error":"invalid_client_metadata"}`))
					return
				}
				kinds = append(kinds, said["application_type"])
				w.WriteHeader(http.StatusCreated)
				_, _ = w.Write([]byte(`{"client_id":"f5a3"}`))
			}))
			defer issuer.Close()
			with := program
			with.Scopes = []string{"a"}
			with.DeviceCode = true
			_, err := signin.Register(
				t.Context(),
				issuer.Client(),
				&discovery.Issuer{RegistrationEndpoint: issuer.URL},
				with,
			)
			if c.says != "" {
				require.ErrorContains(t, err, c.says)
			} else {
				require.NoError(t, err)
			}
			assert.Equal(t, c.asked, asked)
			assert.Equal(t, c.kinds, kinds)
		})
	}
}
