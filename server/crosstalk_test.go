package server_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/mark3labs/mcp-go/mcp"
	mcpserver "github.com/mark3labs/mcp-go/server"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/servers/signin"
	"mcpentra/fakeentra/useragent"
	"mcpentra/server"
	"mcpentra/server/guard"
	"mcpentra/server/upstream"
)

// calls is the number of concurrent calls.
const calls = 2000

// A babbler is a server with a tool that repeats its caller's marker wherever text could reach the
// wrong reader: in a notification, in the log, and in its answer, with the name of the caller.
type babbler struct {
	*mcpserver.StreamableHTTPServer
	log   *slog.Logger
	began sync.Map // from marker to a channel that is closed when the call begins
	ended sync.Map // from marker to a channel that is closed when the call's context ends
}

func newBabbler(log *slog.Logger) *babbler {
	b := &babbler{log: log}
	tools := mcpserver.NewMCPServer("babbler", "1", mcpserver.WithToolCapabilities(false), mcpserver.WithLogging())
	tools.AddTool(
		mcp.NewTool("babble", mcp.WithString("marker", mcp.Required())),
		func(ctx context.Context, call mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			marker := call.GetString("marker", "")
			caller := callerName(ctx, call.Header)
			b.log.Info("babbling", "caller", caller, "marker", marker)
			_ = tools.SendNotificationToClient(
				ctx,
				"notifications/message",
				map[string]any{"level": "info", "data": marker},
			)
			if waiting, found := b.began.Load(marker); found {
				close(waiting.(chan struct{}))
				<-ctx.Done()
				if over, found := b.ended.Load(marker); found {
					close(over.(chan struct{}))
				}
				return nil, ctx.Err()
			}
			return mcp.NewToolResultText(marker + " of " + caller), nil
		},
	)
	b.StreamableHTTPServer = mcpserver.NewStreamableHTTPServer(
		tools,
		mcpserver.WithStateful(true),
		mcpserver.WithDisableLocalhostProtection(true),
	)
	return b
}

// callerName returns the caller from the context, or behind a proxy from the header.
func callerName(ctx context.Context, header http.Header) string {
	if id, known := guard.FromContext(ctx); known {
		return id.Name
	}
	return namedIn(header.Get(upstream.CallerHeader))
}

// TestCallersAreIsolated lets two people with two clients each make 2,000 calls at once, and
// cancels some. Each client listens to its notifications. No marker may reach another caller.
func TestCallersAreIsolated(t *testing.T) {
	t.Parallel()
	for _, backend := range []string{"handler", "upstream"} {
		t.Run(backend, func(t *testing.T) {
			t.Parallel()
			log := &safeBuffer{}
			behind := newBabbler(slog.New(slog.NewTextHandler(log, nil)))
			origin := startServer(t, func(config *server.Config) {
				config.Limits = guard.Limits{CallerCalls: -1} // all calls come at once
				// A busy machine may take seconds to read a request. net/http answers 400 if the
				// time for a head ends within its first line.
				config.BodyTimeout = time.Minute
				config.AnswerTimeout = time.Minute
				config.Stateful = true
				config.Logger = slog.New(slog.NewTextHandler(log, nil))
				if backend == "handler" {
					config.MCP = behind
					return
				}
				inner := httptest.NewServer(behind)
				t.Cleanup(inner.Close)
				config.Upstream = inner.URL + "/mcp"
			})
			transport := &http.Transport{MaxConnsPerHost: 256, MaxIdleConnsPerHost: 256}
			t.Cleanup(transport.CloseIdleConnections)
			var people []*talker
			for _, person := range []struct{ name, user, password string }{
				{"Adele Vance", "AdeleV@contoso.onmicrosoft.com", ""},
				{"Alex Wilber", alexName, "correct horse"},
			} {
				for _, client := range []string{"desk", "phone"} {
					browser := &useragent.Browser{User: person.user, Password: person.password}
					signIn := signin.SignIn{URL: origin + "/mcp", Open: visitAs(browser)}
					raw, err := signIn.Token(t.Context())
					require.NoError(t, err)
					caller := &talker{
						t:      t,
						url:    origin + "/mcp",
						raw:    raw,
						name:   person.name,
						mark:   strings.ToLower(person.name[:4]) + "." + client + ".",
						client: &http.Client{Transport: transport},
					}
					caller.begin()
					people = append(people, caller)
				}
			}
			var wait sync.WaitGroup
			for i := range calls {
				wait.Go(func() { people[i%len(people)].talk(behind, i) })
			}
			wait.Wait()
			for _, caller := range people {
				caller.stop()
				assert.NotEmpty(t, caller.received)
				caller.onlyOwn(strings.Join(caller.received, "\n"))
			}
			lines := strings.Split(log.String(), "\n")
			babbled := 0
			for _, line := range lines {
				if match := regexp.MustCompile(`caller="([^"]*)" marker=(\S+)`).FindStringSubmatch(line); match != nil {
					babbled++
					assert.True(t, strings.HasPrefix(match[2], strings.ToLower(match[1][:4])+"."), line)
				}
			}
			assert.Equal(t, calls, babbled)
		})
	}
}

// A talker is a person at a client, with a session and a listening stream.
type talker struct {
	t              *testing.T
	url, raw       string
	name, mark     string
	session        string
	client         *http.Client
	stop           func()
	received       []string
	foreignMarkers *regexp.Regexp
}

func (c *talker) request(ctx context.Context, method, body string, headers ...string) *http.Request {
	r, err := http.NewRequestWithContext(ctx, method, c.url, strings.NewReader(body))
	require.NoError(c.t, err)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	r.Header.Set("Authorization", "Bearer "+c.raw)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	return r
}

// begin opens the session and listens.
func (c *talker) begin() {
	c.foreignMarkers = regexp.MustCompile(`(adel|alex)\.(desk|phone)\.`)
	resp, err := c.client.Do(c.request(c.t.Context(), http.MethodPost, initialize))
	require.NoError(c.t, err)
	defer resp.Body.Close()
	require.Equal(c.t, http.StatusOK, resp.StatusCode)
	c.session = resp.Header.Get("Mcp-Session-Id")
	require.NotEmpty(c.t, c.session)

	ctx, cancel := context.WithCancel(c.t.Context())
	stream, err := c.client.Do(c.request(
		ctx,
		http.MethodGet,
		"",
		"Mcp-Session-Id",
		c.session,
		"Mcp-Protocol-Version",
		"2025-11-25",
	))
	require.NoError(c.t, err)
	require.Equal(c.t, http.StatusOK, stream.StatusCode)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer stream.Body.Close()
		for lines := bufio.NewScanner(stream.Body); lines.Scan(); {
			c.received = append(c.received, lines.Text())
		}
	}()
	c.stop = func() { cancel(); <-done }
}

// talk makes a call. It cancels every fourth once it runs.
func (c *talker) talk(behind *babbler, i int) {
	marker := fmt.Sprintf("%s%d", c.mark, i)
	body := fmt.Sprintf(
		`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"babble","arguments":{"marker":%q}}}`,
		i,
		marker,
	)
	headers := []string{"Mcp-Session-Id", c.session, "Mcp-Protocol-Version", "2025-11-25"}
	if i%3 == 0 {
		body = fmt.Sprintf(
			`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"babble","arguments":{"marker":%q},`+
				`"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",`+
				`"io.modelcontextprotocol/clientInfo":{"name":"t","version":"1"},`+
				`"io.modelcontextprotocol/clientCapabilities":{}}}}`,
			i,
			marker,
		)
		headers = []string{"Mcp-Protocol-Version", "2026-07-28", "Mcp-Method", "tools/call", "Mcp-Name", "babble"}
	}
	if i%4 >= 2 && i%8 < 4 {
		c.cancelled(behind, marker, body, headers)
		return
	}
	resp, err := c.client.Do(c.request(c.t.Context(), http.MethodPost, body, headers...))
	if !assert.NoError(c.t, err) {
		return
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	assert.NoError(c.t, err)
	assert.Equal(c.t, http.StatusOK, resp.StatusCode, string(text))
	assert.Contains(c.t, string(text), marker+" of "+c.name)
	assert.Contains(c.t, string(text), fmt.Sprintf(`"id":%d,`, i))
	c.onlyOwn(string(text))
}

func (c *talker) cancelled(behind *babbler, marker, body string, headers []string) {
	began := make(chan struct{})
	ended := make(chan struct{})
	behind.began.Store(marker, began)
	behind.ended.Store(marker, ended)
	ctx, cancel := context.WithCancel(c.t.Context())
	defer cancel()
	gone := make(chan string, 1)
	go func() {
		resp, err := c.client.Do(c.request(ctx, http.MethodPost, body, headers...))
		if err != nil {
			gone <- err.Error()
			return
		}
		text, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		c.onlyOwn(string(text))
		gone <- resp.Status + " " + string(text)
	}()
	select {
	case <-began:
	case end := <-gone:
		assert.Fail(c.t, "the call ended before it began", end)
		return
	}
	cancel()
	<-gone
	<-ended // the call on the server has ended too
}

// onlyOwn fails if a text contains the marker of another caller.
func (c *talker) onlyOwn(text string) {
	for _, marker := range c.foreignMarkers.FindAllString(text, -1) {
		assert.Equal(c.t, c.mark, marker)
	}
}

// namedIn reads the name in a caller's token. A real upstream verifies the signature first.
func namedIn(raw string) string {
	parsed, err := jwt.ParseSigned(raw, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return ""
	}
	var claims struct {
		Name string `json:"name"`
	}
	if parsed.UnsafeClaimsWithoutVerification(&claims) != nil {
		return ""
	}
	return claims.Name
}
