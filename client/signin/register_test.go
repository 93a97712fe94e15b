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

func TestRegisterSendsMetadata(t *testing.T) {
	t.Parallel()
	const basic, post = "client_secret_basic", "client_secret_post"
	for _, c := range []struct {
		name    string
		offered []string
		scopes  []string
		method  string
	}{
		{"server for public clients", []string{post, "none"}, []string{"a", "b"}, "none"},
		{"server without a list", nil, nil, "none"},
		{"server that wants a secret", []string{post, basic}, nil, basic},
		{"server that wants the secret in the form", []string{"private_key_jwt", post}, nil, post},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var metadata map[string]any
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				assert.Equal(t, "application/json", r.Header.Get("Content-Type"))
				assert.Empty(t, r.Header.Get("Authorization"))
				assert.NoError(t, json.NewDecoder(r.Body).Decode(&metadata))
				w.WriteHeader(http.StatusCreated)
				_, _ = w.Write([]byte(`{"client_id":"f5a3","client_secret":"s-1","client_id_issued_at":1}`))
			}))
			defer server.Close()
			client, err := signin.Register(
				t.Context(),
				server.Client(),
				&discovery.Issuer{RegistrationEndpoint: server.URL, AuthMethods: c.offered},
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
			assert.Equal(t, want, metadata)
		})
	}
}

func TestRegisterReportsFailure(t *testing.T) {
	t.Parallel()
	const idFor = `{"client_id":"a","token_endpoint_auth_method":`
	for _, c := range []struct {
		name    string
		status  int
		body    string
		text    string
		refusal string // code of the *RefusedError
	}{
		{
			"refusal",
			400,
			`{"error":"invalid_redirect_uri","error_description":"no\u001b[2J"}`,
			"registration refused: invalid_redirect_uri (no?[2J)",
			"invalid_redirect_uri",
		},
		{"refusal without a code", 403, `no`, "got status 403", ""},
		{"broken server", 500, ``, "got status 500", ""},
		{"redirect", 307, ``, "got status 307", ""},
		{"no client ID", 201, `{"client_secret":"s-1"}`, "want a client_id", ""},
		{"client ID with control characters", 201, `{"client_id":"\u001b[2J"}`, "want a client_id", ""},
		{"client ID of 3000 bytes", 201, `{"client_id":"` + strings.Repeat("x", 3000) + `"}`, "want a client_id", ""},
		{"repeated client ID", 201, `{"client_id":"a","client_id":"b"}`, "want a client_id", ""},
		{"page", 201, `<p>`, "want a client_id", ""},
		{"client_secret_basic without a secret", 201, idFor + `"client_secret_basic"}`, "want a client_secret", ""},
		{"unknown method", 201, idFor + `"private_key_jwt"}`, `got "private_key_jwt"`, ""},
		{"two mebibytes", 201, `{"client_id":"` + strings.Repeat("x", 2<<20) + `"}`, "more than 1048576 bytes", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			requests := 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				requests++
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(c.status)
				_, _ = w.Write([]byte(c.body))
			}))
			defer server.Close()
			issuer := &discovery.Issuer{RegistrationEndpoint: server.URL}
			_, err := signin.Register(t.Context(), server.Client(), issuer, program)
			require.ErrorContains(t, err, c.text)
			assert.NotContains(t, err.Error(), "s-1")
			assert.Equal(t, 1, requests)
			var refused *signin.RefusedError
			isRefused := errors.As(err, &refused)
			assert.Equal(t, c.refusal != "", isRefused)
			if isRefused {
				assert.Equal(t, c.refusal, refused.Code)
			}
		})
	}
}

func TestRegisterNeedsEndpointAndMethod(t *testing.T) {
	t.Parallel()
	_, err := signin.Register(t.Context(), nil, &discovery.Issuer{}, program)
	require.ErrorIs(t, err, signin.ErrNoRegistration)
	other := &discovery.Issuer{RegistrationEndpoint: "http://localhost:1", AuthMethods: []string{"tls_client_auth"}}
	_, err = signin.Register(t.Context(), nil, other, program)
	require.ErrorContains(t, err, "got tls_client_auth")
}

// TestRegisterAdjustsMetadata has servers that refuse a part of the metadata.
func TestRegisterAdjustsMetadata(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		refuses  func(metadata map[string]any) bool
		kinds    []any // application types of the accepted requests
		requests int
		text     string
	}{
		{
			"scopes",
			func(metadata map[string]any) bool { return metadata["scope"] != nil },
			[]any{"native"},
			2,
			"",
		},
		{
			"native applications",
			func(metadata map[string]any) bool { return metadata["application_type"] != "web" },
			[]any{"web"},
			3,
			"",
		},
		{
			"everything",
			func(map[string]any) bool { return true },
			nil,
			3,
			"invalid_client_metadata",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			requests := 0
			var kinds []any
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				requests++
				var metadata map[string]any
				assert.NoError(t, json.NewDecoder(r.Body).Decode(&metadata))
				if c.refuses(metadata) {
					w.WriteHeader(http.StatusBadRequest)
					_, _ = w.Write([]byte(`{"error":"invalid_client_metadata"}`))
					return
				}
				kinds = append(kinds, metadata["application_type"])
				w.WriteHeader(http.StatusCreated)
				_, _ = w.Write([]byte(`{"client_id":"f5a3"}`))
			}))
			defer server.Close()
			full := program
			full.Scopes = []string{"a"}
			full.DeviceCode = true
			issuer := &discovery.Issuer{RegistrationEndpoint: server.URL}
			_, err := signin.Register(t.Context(), server.Client(), issuer, full)
			if c.text == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, c.text)
			}
			assert.Equal(t, c.requests, requests)
			assert.Equal(t, c.kinds, kinds)
		})
	}
}
