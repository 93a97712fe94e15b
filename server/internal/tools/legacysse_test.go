package tools_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server/entra"
	"mcpentra/server/guard"
	"mcpentra/server/identity"
	"mcpentra/server/internal/tools"
	"mcpentra/server/token"
)

// events is the answer to a stream.
type events struct {
	header http.Header
	sent   chan string
}

func (e *events) Header() http.Header { return e.header }
func (e *events) WriteHeader(int)     {}
func (e *events) Flush()              {}

func (e *events) Write(p []byte) (int, error) {
	e.sent <- string(p)
	return len(p), nil
}

// TestLegacySSEEndsCalls runs a tool that waits for the end of its context. Its POST
// is answered at once, and the stream is where its answer goes.
func TestLegacySSEEndsCalls(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		maxCall         time.Duration
		expiry, revoked time.Duration // of the stream's token, and of the call's; 0 for never
		gone            time.Duration // when the client ends the stream; 0 for never
		want            time.Duration
	}{
		"after the longest call":           {maxCall: 3 * time.Minute, want: 3 * time.Minute},
		"when its token is revoked":        {revoked: 100 * time.Second, want: 2 * time.Minute},
		"when the client ends the stream":  {gone: time.Minute, want: time.Minute},
		"when the stream's token runs out": {expiry: 4 * time.Minute, want: 4 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				lasted := make(chan time.Duration, 1)
				legacy := tools.LegacySSE(tools.Config{
					GraphToken: func(ctx context.Context, id *identity.Caller) (string, error) {
						assert.Equal(t, "adele", id.ObjectID)
						select {
						case <-ctx.Done():
						case <-time.After(24 * time.Hour):
						}
						lasted <- time.Since(began)
						return "", ctx.Err()
					},
					Me: func(context.Context, string) (*entra.Profile, error) { return nil, assert.AnError },
				}, "/sse")
				g, err := guard.New(guard.Config{
					Resource:             "http://localhost:8000/sse",
					AuthorizationServers: []string{"http://localhost:8000"},
					MaxCall:              test.maxCall,
					Verify: func(_ context.Context, raw string) (*identity.Caller, error) {
						id := &identity.Caller{
							Principal: identity.Principal{ObjectID: "adele"},
							Expiry:    began.Add(48 * time.Hour),
						}
						switch {
						case raw == "stream" && test.expiry > 0:
							id.Expiry = began.Add(test.expiry)
						case raw == "call" && test.revoked > 0 && time.Since(began) >= test.revoked:
							return nil, token.NewInvalidError("revoked")
						}
						return id, nil
					},
				}, legacy)
				require.NoError(t, err)
				send := func(ctx context.Context, w http.ResponseWriter, method, path, raw, body string) {
					r := httptest.NewRequestWithContext(
						ctx,
						method,
						"http://localhost:8000"+path,
						strings.NewReader(body),
					)
					r.Header.Set("Authorization", "Bearer "+raw)
					r.Header.Set("Content-Type", "application/json")
					g.ServeHTTP(w, r)
				}
				ctx, hangUp := context.WithCancel(t.Context())
				defer hangUp()
				stream := &events{header: http.Header{}, sent: make(chan string, 100)}
				go send(ctx, stream, http.MethodGet, "/sse", "stream", "")
				_, address, found := strings.Cut(<-stream.sent, "data: ")
				require.True(t, found)
				w := httptest.NewRecorder()
				send(
					t.Context(),
					w,
					http.MethodPost,
					strings.TrimSpace(address),
					"call",
					`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_user_name"}}`,
				)
				require.Equal(t, http.StatusAccepted, w.Code)
				if test.gone > 0 {
					time.AfterFunc(test.gone, hangUp)
				}
				assert.Equal(t, test.want, <-lasted)
				if test.gone == 0 && test.expiry == 0 {
					assert.Contains(t, <-stream.sent, "took too long or was cancelled", "the caller gets the reason")
				}
				hangUp()
				<-time.After(48 * time.Hour) // nothing may be left running
			})
		})
	}
}

// TestLegacySSEBoundsWaitingAnswers sends messages to a stream that its caller does not read, and
// then reads it.
func TestLegacySSEBoundsWaitingAnswers(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ size, most int }{
		"small messages": {1, 64},
		"large ones":     {1 << 20, 5},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var log strings.Builder
				legacy := tools.LegacySSE(tools.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))}, "/sse")
				send := func(ctx context.Context, w http.ResponseWriter, method, path, body string) {
					id := &identity.Caller{Principal: identity.Principal{ObjectID: "adele"}}
					ctx = guard.NewContext(ctx, id)
					r := httptest.NewRequestWithContext(ctx, method, path, strings.NewReader(body))
					legacy.ServeHTTP(w, r)
				}
				ctx, hangUp := context.WithCancel(t.Context())
				defer hangUp()
				stream := &events{header: http.Header{}, sent: make(chan string)}
				go send(ctx, stream, http.MethodGet, "/sse", "")
				_, path, _ := strings.Cut(<-stream.sent, "data: ")
				path = strings.TrimSpace(path)
				id := strings.Repeat("a", test.size)
				post := func(body string) int {
					w := httptest.NewRecorder()
					send(t.Context(), w, http.MethodPost, path, body)
					synctest.Wait()
					return w.Code
				}
				ping := `{"jsonrpc":"2.0","id":"` + id + `","method":"ping"}`
				taken := 0
				for post(ping) == http.StatusAccepted {
					taken++
					require.LessOrEqual(t, taken, test.most)
				}
				assert.Positive(t, taken)
				w := httptest.NewRecorder()
				send(t.Context(), w, http.MethodPost, path, ping)
				assert.Equal(t, http.StatusTooManyRequests, w.Code)
				assert.Equal(t, "1", w.Header().Get("Retry-After"))
				assert.Contains(t, w.Body.String(), `"id":"`+id+`"`)
				assert.Equal(t, http.StatusAccepted, post(`{"jsonrpc":"2.0","method":"notifications/cancelled"}`))
				assert.Contains(t, log.String(), "object=adele")
				for range taken {
					assert.Contains(t, <-stream.sent, id)
					synctest.Wait()
				}
				assert.Equal(t, http.StatusAccepted, post(ping), "there is room again")
				<-stream.sent
				hangUp()
				synctest.Wait()
			})
		})
	}
}
