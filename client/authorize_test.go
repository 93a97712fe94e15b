package client_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/client"
	"mcpentra/client/tokenstore"
	"mcpentra/conformance/loopback/loopbacktest"
)

func TestPasteReadsAnswer(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	page := ""
	_, through := env.client(func(config *client.Config) {
		told := config.Trace
		config.Trace = func(event client.Event) {
			if ready, ok := event.(client.PageReady); ok {
				assert.True(t, ready.Paste)
				page = ready.URL
			}
			told(event)
		}
		config.Browser = func(context.Context, string) error {
			t.Error("Paste opens no browser")
			return nil
		}
		config.Paste = func(context.Context) (string, error) {
			opened, err := url.Parse(page)
			require.NoError(t, err)
			query := opened.Query()
			env.granting["secret-code"] = query
			back := url.Values{"code": {"secret-code"}, "state": {query.Get("state")}, "iss": {env.URL}}
			return " " + query.Get("redirect_uri") + "?" + back.Encode() + "\n", nil
		}
	})
	code, _ := post(t, through, env.URL+"/mcp", "")
	assert.Equal(t, http.StatusOK, code)

	const callback = "http://localhost/callback"
	for _, c := range []struct {
		name string
		text string
		err  error
		says string
	}{
		{"no address", "hello", nil, "want the address that the browser ended at"},
		{"another sign-in's state", callback + "?code=secret-code&state=old", nil, "another sign-in"},
		{"another issuer", callback + "?iss=https%3A%2F%2Fevil.example.com&state=STATE", nil, "want iss"},
		{"access denied", callback + "?error=access_denied&iss=ISSUER&state=STATE", nil, "access_denied"},
		{"no terminal", "", errors.New("there is no terminal"), "there is no terminal"},
		{"too late", "", context.DeadlineExceeded, "context deadline exceeded"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			env := newEnv(t)
			page := ""
			_, through := env.client(func(config *client.Config) {
				config.Trace = func(event client.Event) {
					if ready, ok := event.(client.PageReady); ok {
						page = ready.URL
					}
				}
				config.Paste = func(context.Context) (string, error) {
					opened, err := url.Parse(page)
					require.NoError(t, err)
					state := opened.Query().Get("state")
					values := strings.NewReplacer("STATE", state, "ISSUER", url.QueryEscape(env.URL))
					return values.Replace(c.text), c.err
				}
			})
			assert.ErrorContains(t, refused(t, through, env.URL+"/mcp"), c.says)
			assert.Zero(t, env.count("POST /token"))
		})
	}
}

func TestPasteCanBeCorrected(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name                   string
		wrong, status, reasons int
	}{
		{"nine times", 9, http.StatusOK, 9},
		{"but not a hundred times", 100, 0, 9},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			env := newEnv(t)
			page := ""
			pasted := 0
			var reasons []string
			_, through := env.client(func(config *client.Config) {
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
					env.granting["secret-code"] = query
					pasted++
					if pasted <= c.wrong {
						return query.Get("redirect_uri") + "?code=secret-code&state=old", nil
					}
					back := url.Values{"code": {"secret-code"}, "state": {query.Get("state")}, "iss": {env.URL}}
					return query.Get("redirect_uri") + "?" + back.Encode(), nil
				}
			})
			if c.status == 0 {
				assert.ErrorContains(t, refused(t, through, env.URL+"/mcp"), "belongs to another sign-in")
			} else {
				status, _ := post(t, through, env.URL+"/mcp", "")
				assert.Equal(t, c.status, status)
			}
			assert.Len(t, reasons, c.reasons)
			assert.NotContains(t, strings.Join(reasons, " "), "secret-code")
		})
	}
}

func TestDeviceCodeApprovesElsewhere(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	const device = `,"device_authorization_endpoint":"ORIGIN/device"`
	env.metadata(device) // without PKCE, because no code goes through a browser
	env.replace["/device"] = func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "client-1", r.FormValue("client_id"))
		assert.Equal(t, "a", r.FormValue("scope"))
		assert.Equal(t, env.URL+"/mcp", r.FormValue("resource"))
		env.json(w, 200, `{"device_code":"secret-device","user_code":"WDJB","verification_uri":"ORIGIN/here",
			"expires_in":60,"interval":0.01}`)
	}
	polls := 0
	env.replace["/token"] = func(w http.ResponseWriter, r *http.Request) {
		polls++
		if polls == 1 {
			env.json(w, 400, `{"error":"authorization_pending"}`)
			return
		}
		env.token(w, r)
	}
	_, through := env.client(func(config *client.Config) { config.DeviceCode = true })
	code, _ := post(t, through, env.URL+"/mcp", "")
	assert.Equal(t, http.StatusOK, code)
	assert.Empty(t, env.pages())
	assert.Equal(t, 2, polls)
	ready := false
	for _, event := range env.told() {
		if event, ok := event.(client.DeviceReady); ok {
			ready = true
			assert.Equal(t, "WDJB", event.UserCode)
			assert.Equal(t, env.URL+"/here", event.URL)
		}
	}
	assert.True(t, ready)

	const start = `{"device_code":"d","user_code":"u","interval":0.01,"verification_uri":`
	for _, c := range []struct{ name, more, answer, says string }{
		{"not offered", s256, "", "does not offer device codes"},
		{"a page of a shell", device, start + `"file:///etc/passwd"}`, "authorization page"},
		{"a page over http", device, start + `"http://login.example.com"}`, "neither https"},
		{"access denied", device, start + `"ORIGIN/here"}`, "access_denied"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			env := newEnv(t)
			env.metadata(c.more)
			env.replace["/device"] = func(w http.ResponseWriter, _ *http.Request) { env.json(w, 200, c.answer) }
			env.replace["/token"] = func(w http.ResponseWriter, _ *http.Request) {
				env.json(w, 400, `{"error":"access_denied"}`)
			}
			_, through := env.client(func(config *client.Config) { config.DeviceCode = true })
			assert.ErrorContains(t, refused(t, through, env.URL+"/mcp"), c.says)
		})
	}
}

func TestClientDocumentNeedsSupport(t *testing.T) {
	t.Parallel()
	const document = "https://app.example.com/client.json"
	for _, c := range []struct {
		name, more, id string
		registered     int
	}{
		{"supported", s256 + `,"client_id_metadata_document_supported":true`, document, 0},
		{"not supported", s256, "client-1", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			env := newEnv(t)
			env.metadata(c.more)
			_, through := env.client(func(config *client.Config) { config.ClientDocument = document })
			code, _ := post(t, through, env.URL+"/mcp", "")
			assert.Equal(t, http.StatusOK, code)
			assert.Equal(t, c.id, env.pages()[0].Get("client_id"))
			assert.Equal(t, c.registered, env.count("POST /register"))
		})
	}
	env := newEnv(t)
	env.metadata(s256 + `,"client_id_metadata_document_supported":true`)
	_, through := env.client(func(config *client.Config) {
		config.ClientDocument = document
		config.ClientID = "known"
	})
	post(t, through, env.URL+"/mcp", "")
	assert.Equal(t, "known", env.pages()[0].Get("client_id"), "a preregistered client comes first")
}

func TestRegistrationFallsBackToLoopbackAddress(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	env.replace["/register"] = func(w http.ResponseWriter, r *http.Request) {
		text := make([]byte, r.ContentLength)
		_, _ = r.Body.Read(text)
		if !strings.Contains(string(text), "http://127.0.0.1:") {
			env.json(w, 400, `{"error":"invalid_redirect_uri"}`)
			return
		}
		env.json(w, 201, `{"client_id":"client-1"}`)
	}
	_, through := env.client(nil)
	code, _ := post(t, through, env.URL+"/mcp", "")
	assert.Equal(t, http.StatusOK, code)
	assert.Contains(t, env.pages()[0].Get("redirect_uri"), "http://127.0.0.1:")
	assert.Equal(t, 2, env.count("POST /register"))
}

func TestOfflineAccessIsRequestedIfSupported(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	env.metadata(s256 + `,"scopes_supported":["a","offline_access"]`)
	_, through := env.client(nil)
	post(t, through, env.URL+"/mcp", "")
	assert.Equal(t, "a offline_access", env.pages()[0].Get("scope"))
}

func TestEntraExceptionsRelaxRules(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	env.metadata("")
	_, through := env.client(nil)
	assert.ErrorContains(t, refused(t, through, env.URL+"/mcp"), "does not advertise PKCE")
	assert.Empty(t, env.pages())

	sent := forms(env)
	_, through = env.client(func(config *client.Config) {
		config.Entra = client.EntraExceptions{UnadvertisedPKCE: true, NoResource: true}
	})
	code, _ := post(t, through, env.URL+"/mcp", "")
	assert.Equal(t, http.StatusOK, code)
	page := env.pages()[0]
	assert.False(t, page.Has("resource"))
	assert.Equal(t, "S256", page.Get("code_challenge_method"), "PKCE is always sent")
	env.end()
	post(t, through, env.URL+"/mcp", "")
	require.Len(t, sent(), 2)
	for _, form := range sent() {
		assert.False(t, form.Has("resource"))
		assert.Equal(t, "a", form.Get("scope"), "the scopes name the audience")
	}

	// One exception does not imply the other.
	env = newEnv(t)
	_, through = env.client(func(config *client.Config) { config.Entra.UnadvertisedPKCE = true })
	post(t, through, env.URL+"/mcp", "")
	assert.True(t, env.pages()[0].Has("resource"))
}

func TestClientIDStaysWithItsIssuer(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	other := newEnv(t)
	_, through := env.client(func(config *client.Config) {
		config.ClientID = "known"
		config.ClientSecret = "secret-of-client"
		config.ClientIssuer = other.URL
	})
	assert.ErrorContains(t, refused(t, through, env.URL+"/mcp"), "belongs to "+other.URL)
	assert.Empty(t, env.pages())

	// The first issuer is remembered.
	var tokens tokenstore.Memory
	edit := func(config *client.Config) {
		config.ClientID = "known"
		config.ClientSecret = "secret-of-client"
		config.Tokens = &tokens
	}
	forms(env)
	_, through = env.client(edit)
	code, _ := post(t, through, env.URL+"/mcp", "")
	assert.Equal(t, http.StatusOK, code)
	env.end()
	asked := env.count("POST /token")
	env.replace["/.well-known/oauth-protected-resource/mcp"] = func(w http.ResponseWriter, _ *http.Request) {
		env.json(w, 200, `{"resource":"ORIGIN/mcp","authorization_servers":["`+other.URL+`"]}`)
	}
	_, through = env.client(edit)
	assert.ErrorContains(t, refused(t, through, env.URL+"/mcp"), "MCP_CLIENT_ISSUER")
	assert.Empty(t, other.pages())
	assert.Zero(t, other.count("POST "))
	assert.Equal(t, asked, env.count("POST /token"), "the refresh token is not sent either")
}

// TestForgottenRegistrationIsRenewed: the authorization server has restarted and does not know the
// client any more. Its page says so, and no answer comes.
func TestForgottenRegistrationIsRenewed(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	var tokens tokenstore.Memory
	redirectURI := keptRedirectURI(t)
	edit := func(config *client.Config) {
		config.Tokens = &tokens
		config.RedirectURI = redirectURI
	}
	under, through := env.client(edit)
	post(t, through, env.URL+"/mcp", "")
	_, err := under.SignOut(t.Context())
	require.NoError(t, err)
	env.person = func(page url.Values) (url.Values, error) {
		if page.Get("client_id") == "client-1" {
			return nil, errors.New("the browser ended at an error page")
		}
		return url.Values{"code": {"secret-code-3"}}, nil
	}
	_, through = env.client(edit)
	assert.ErrorContains(t, refused(t, through, env.URL+"/mcp"), "an error page")
	_, through = env.client(edit)
	code, _ := post(t, through, env.URL+"/mcp", "")
	assert.Equal(t, http.StatusOK, code)
	assert.Equal(t, 2, env.count("POST /register"), "the next try registers anew")
}

// TestRegistrationIsOfRedirectURI signs in twice. The second sign-in listens at the port of the
// first one. If another program has that port, the client registers again with a free one.
func TestRegistrationIsOfRedirectURI(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]int{"the port is free": 1, "another program has the port": 2} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := newEnv(t)
			var tokens tokenstore.Memory
			port := loopbacktest.Port(t)
			under, through := env.client(func(config *client.Config) {
				config.Tokens = &tokens
				config.RedirectURI = "http://localhost:" + port + "/callback"
			})
			post(t, through, env.URL+"/mcp", "")
			_, err := under.SignOut(t.Context())
			require.NoError(t, err)
			if want > 1 {
				other, err := net.Listen("tcp", "127.0.0.1:"+port)
				require.NoError(t, err)
				defer other.Close()
			}
			_, through = env.client(func(config *client.Config) { config.Tokens = &tokens })
			code, _ := post(t, through, env.URL+"/mcp", "")
			assert.Equal(t, http.StatusOK, code)
			assert.Equal(t, want, env.count("POST /register"))
			uris := map[string]bool{}
			for _, page := range env.pages() {
				uris[page.Get("redirect_uri")] = true
			}
			assert.Len(t, uris, want)
		})
	}
}
