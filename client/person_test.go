package client_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client"
	"mcpentra/client/tokenstore"
)

// metadata replaces the metadata of the site's authorization server, with more members.
func (s *site) metadata(more string) {
	s.replace["/.well-known/oauth-authorization-server"] = func(w http.ResponseWriter, _ *http.Request) {
		s.json(
			w,
			200,
			`{"issuer":"ORIGIN","authorization_endpoint":"ORIGIN/authorize","token_endpoint":"ORIGIN/token","registration_endpoint":"ORIGIN/register",
			"revocation_endpoint":"ORIGIN/revoke"`+more+`}`,
		)
	}
}

const s256 = `,"code_challenge_methods_supported":["S256"]`

func TestPersonBringsTheAnswerBack(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	page := ""
	_, through := s.client(func(config *client.Config) {
		told := config.Trace
		config.Trace = func(event client.Event) {
			if ready, ok := event.(client.PageReady); ok {
				assert.True(t, ready.Paste)
				page = ready.URL
			}
			told(event)
		}
		config.Browser = func(context.Context, string) error { t.Error("nothing is opened"); return nil }
		config.Paste = func(context.Context) (string, error) {
			opened, err := url.Parse(page)
			require.NoError(t, err)
			query := opened.Query()
			s.granting["secret-code"] = query
			back := url.Values{"code": {"secret-code"}, "state": {query.Get("state")}, "iss": {s.URL}}
			return " " + query.Get("redirect_uri") + "?" + back.Encode() + "\n", nil
		}
	})
	code, _ := post(t, through, s.URL+"/mcp", "")
	assert.Equal(t, http.StatusOK, code)

	for name, c := range map[string]struct {
		text string
		err  error
		says string
	}{
		"something else":         {"hello", nil, "want the address that the browser ended at"},
		"of another sign-in":     {"http://localhost/callback?code=secret-code&state=old", nil, "another sign-in"},
		"nobody to paste it":     {"", errors.New("there is no terminal"), "there is no terminal"},
		"the time has run out":   {"", context.DeadlineExceeded, "context deadline exceeded"},
		"the issuer is another":  {"http://localhost/callback?iss=https%3A%2F%2Fevil.example.com&state=STATE", nil, "want iss"},
		"the person has said no": {"http://localhost/callback?error=access_denied&iss=ISSUER&state=STATE", nil, "access_denied"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			page := ""
			_, through := s.client(func(config *client.Config) {
				config.Trace = func(event client.Event) {
					if ready, ok := event.(client.PageReady); ok {
						page = ready.URL
					}
				}
				config.Paste = func(context.Context) (string, error) {
					opened, err := url.Parse(page)
					require.NoError(t, err)
					return strings.NewReplacer("STATE", opened.Query().Get("state"), "ISSUER", url.QueryEscape(s.URL)).
							Replace(c.text),
						c.err
				}
			})
			assert.ErrorContains(t, refused(t, through, s.URL+"/mcp"), c.says)
			assert.Zero(t, s.count("POST /token"))
		})
	}
}

func TestAWrongPasteCanBeCorrected(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ wrong, status, reasons int }{
		"nine times":           {9, http.StatusOK, 9},
		"but not for all time": {100, 0, 9},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			page := ""
			pasted := 0
			var reasons []string
			_, through := s.client(func(config *client.Config) {
				config.Trace = func(event client.Event) {
					switch event := event.(type) {
					case client.PageReady:
						page = event.URL
					case client.PasteRefused:
						reasons = append(reasons, event.Reason)
					}
				}
				config.Paste = func(context.Context) (string, error) {
					opened, err := url.Parse(page)
					require.NoError(t, err)
					query := opened.Query()
					s.granting["secret-code"] = query
					if pasted++; pasted <= c.wrong {
						return query.Get("redirect_uri") + "?code=secret-code&state=old", nil
					}
					back := url.Values{"code": {"secret-code"}, "state": {query.Get("state")}, "iss": {s.URL}}
					return query.Get("redirect_uri") + "?" + back.Encode(), nil
				}
			})
			if c.status == 0 {
				assert.ErrorContains(t, refused(t, through, s.URL+"/mcp"), "belongs to another sign-in")
			} else {
				status, _ := post(t, through, s.URL+"/mcp", "")
				assert.Equal(t, c.status, status)
			}
			assert.Len(t, reasons, c.reasons)
			assert.NotContains(t, strings.Join(reasons, " "), "secret-code")
		})
	}
}

func TestPersonApprovesOnAnotherDevice(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.metadata(`,"device_authorization_endpoint":"ORIGIN/device"`) // and no PKCE: there is no code in a browser
	s.replace["/device"] = func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "client-1", r.FormValue("client_id"))
		assert.Equal(t, "a", r.FormValue("scope"))
		assert.Equal(t, s.URL+"/mcp", r.FormValue("resource"))
		s.json(
			w,
			200,
			`{"device_code":"secret-device","user_code":"WDJB","verification_uri":"ORIGIN/here","expires_in":60,"interval":0.01}`,
		)
	}
	polls := 0
	s.replace["/token"] = func(w http.ResponseWriter, r *http.Request) {
		if polls++; polls == 1 {
			s.json(w, 400, `{"error":"authorization_pending"}`)
			return
		}
		s.token(w, r)
	}
	_, through := s.client(func(config *client.Config) { config.DeviceCode = true })
	code, _ := post(t, through, s.URL+"/mcp", "")
	assert.Equal(t, http.StatusOK, code)
	assert.Empty(t, s.pages())
	assert.Equal(t, 2, polls)
	ready := false
	for _, event := range s.told() {
		if device, ok := event.(client.DeviceReady); ok {
			ready = true
			assert.Equal(t, "WDJB", device.UserCode)
			assert.Equal(t, s.URL+"/here", device.URL)
		}
	}
	assert.True(t, ready)

	for name, c := range map[string]struct{ more, answer, says string }{
		"not offered":        {s256, "", "does not offer device codes"},
		"a page of a shell":  {`,"device_authorization_endpoint":"ORIGIN/device"`, `{"device_code":"d","user_code":"u","verification_uri":"file:///etc/passwd"}`, "authorization page"},
		"a page over http":   {`,"device_authorization_endpoint":"ORIGIN/device"`, `{"device_code":"d","user_code":"u","verification_uri":"http://login.example.com"}`, "neither https"},
		"the person said no": {`,"device_authorization_endpoint":"ORIGIN/device"`, `{"device_code":"d","user_code":"u","verification_uri":"ORIGIN/h","interval":0.01}`, "access_denied"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.metadata(c.more)
			s.replace["/device"] = func(w http.ResponseWriter, _ *http.Request) { s.json(w, 200, c.answer) }
			s.replace["/token"] = func(w http.ResponseWriter, _ *http.Request) { s.json(w, 400, `{"error":"access_denied"}`) }
			_, through := s.client(func(config *client.Config) { config.DeviceCode = true })
			assert.ErrorContains(t, refused(t, through, s.URL+"/mcp"), c.says)
		})
	}
}

func TestClientDocumentIsUsedWhereItIsTaken(t *testing.T) {
	t.Parallel()
	const document = "https://app.example.com/client.json"
	for name, c := range map[string]struct {
		more, id   string
		registered int
	}{
		"taken":     {s256 + `,"client_id_metadata_document_supported":true`, document, 0},
		"not taken": {s256, "client-1", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.metadata(c.more)
			_, through := s.client(func(config *client.Config) { config.ClientDocument = document })
			code, _ := post(t, through, s.URL+"/mcp", "")
			assert.Equal(t, http.StatusOK, code)
			assert.Equal(t, c.id, s.pages()[0].Get("client_id"))
			assert.Equal(t, c.registered, s.count("POST /register"))
		})
	}
	s := newSite(t)
	s.metadata(s256 + `,"client_id_metadata_document_supported":true`)
	_, through := s.client(func(config *client.Config) {
		config.ClientDocument = document
		config.ClientID = "known"
	})
	post(t, through, s.URL+"/mcp", "")
	assert.Equal(t, "known", s.pages()[0].Get("client_id"), "what was given beforehand goes first")
}

func TestRegistrationWithTheAddressInsteadOfTheName(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.replace["/register"] = func(w http.ResponseWriter, r *http.Request) {
		text := make([]byte, r.ContentLength)
		_, _ = r.Body.Read(text)
		if !strings.Contains(string(text), "http://127.0.0.1:") {
			s.json(w, 400, `{"error":"invalid_redirect_uri"}`)
			return
		}
		s.json(w, 201, `{"client_id":"client-1"}`)
	}
	_, through := s.client(nil)
	code, _ := post(t, through, s.URL+"/mcp", "")
	assert.Equal(t, http.StatusOK, code)
	assert.Contains(t, s.pages()[0].Get("redirect_uri"), "http://127.0.0.1:")
	assert.Equal(t, 2, s.count("POST /register"))
}

func TestOfflineAccessIsAskedForWhereThereIsSuchAScope(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.metadata(s256 + `,"scopes_supported":["a","offline_access"]`)
	_, through := s.client(nil)
	post(t, through, s.URL+"/mcp", "")
	assert.Equal(t, "a offline_access", s.pages()[0].Get("scope"))
}

func TestExceptionsForEntra(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.metadata("")
	_, through := s.client(nil)
	assert.ErrorContains(t, refused(t, through, s.URL+"/mcp"), "does not advertise PKCE")
	assert.Empty(t, s.pages())

	sent := forms(s)
	_, through = s.client(func(config *client.Config) {
		config.Entra = client.EntraExceptions{UnadvertisedPKCE: true, NoResource: true}
	})
	code, _ := post(t, through, s.URL+"/mcp", "")
	assert.Equal(t, http.StatusOK, code)
	page := s.pages()[0]
	assert.False(t, page.Has("resource"))
	assert.Equal(t, "S256", page.Get("code_challenge_method"), "PKCE is used in any case")
	s.end()
	post(t, through, s.URL+"/mcp", "")
	require.Len(t, sent(), 2)
	for _, form := range sent() {
		assert.False(t, form.Has("resource"))
		assert.Equal(t, "a", form.Get("scope"), "says whom the token is for")
	}

	// Each is for itself.
	s = newSite(t)
	_, through = s.client(func(config *client.Config) { config.Entra.UnadvertisedPKCE = true })
	post(t, through, s.URL+"/mcp", "")
	assert.True(t, s.pages()[0].Has("resource"))
}

func TestClientOfAnotherIssuerIsNotShown(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	other := newSite(t)
	_, through := s.client(func(config *client.Config) {
		config.ClientID = "known"
		config.ClientSecret = "secret-of-client"
		config.ClientIssuer = other.URL
	})
	assert.ErrorContains(t, refused(t, through, s.URL+"/mcp"), "belongs to "+other.URL)
	assert.Empty(t, s.pages())

	// The first one is remembered.
	var tokens tokenstore.Memory
	edit := func(config *client.Config) {
		config.ClientID = "known"
		config.ClientSecret = "secret-of-client"
		config.Tokens = &tokens
	}
	forms(s)
	_, through = s.client(edit)
	code, _ := post(t, through, s.URL+"/mcp", "")
	assert.Equal(t, http.StatusOK, code)
	s.end()
	asked := s.count("POST /token")
	s.replace["/.well-known/oauth-protected-resource/mcp"] = func(w http.ResponseWriter, _ *http.Request) {
		s.json(w, 200, `{"resource":"ORIGIN/mcp","authorization_servers":["`+other.URL+`"]}`)
	}
	_, through = s.client(edit)
	assert.ErrorContains(t, refused(t, through, s.URL+"/mcp"), "MCP_CLIENT_ISSUER")
	assert.Empty(t, other.pages())
	assert.Zero(t, other.count("POST "))
	assert.Equal(t, asked, s.count("POST /token"), "nor is the refresh token of use any more")
}

// TestRegistrationThatIsForgotten is of a server that has started anew: its page does not know the
// program any more, and no answer comes.
func TestRegistrationThatIsForgotten(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	var tokens tokenstore.Memory
	under, through := s.client(func(config *client.Config) { config.Tokens = &tokens })
	post(t, through, s.URL+"/mcp", "")
	_, err := under.SignOut(t.Context())
	require.NoError(t, err)
	s.person = func(page url.Values) (url.Values, error) {
		if page.Get("client_id") == "client-1" {
			return nil, errors.New("the browser ended at a page that says no")
		}
		return url.Values{"code": {"secret-code-3"}}, nil
	}
	_, through = s.client(func(config *client.Config) { config.Tokens = &tokens })
	assert.ErrorContains(t, refused(t, through, s.URL+"/mcp"), "a page that says no")
	_, through = s.client(func(config *client.Config) { config.Tokens = &tokens })
	code, _ := post(t, through, s.URL+"/mcp", "")
	assert.Equal(t, http.StatusOK, code)
	assert.Equal(t, 2, s.count("POST /register"), "the next try registers anew")
}
