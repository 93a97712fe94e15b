package guard_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/server/guard"
)

func TestCallerHasLimits(t *testing.T) {
	t.Parallel()
	batch := "[" + ping + "," + response + "]"
	for _, test := range []struct {
		name, method, body string
		limit              int
		setting            string
		id                 string
	}{
		{"streams", http.MethodGet, "", guard.DefaultCallerStreams, "MCP_CALLER_STREAMS", "null"},
		{"streams of 2026-07-28", http.MethodPost, listen, guard.DefaultCallerStreams, "MCP_CALLER_STREAMS", "7"},
		{"calls", http.MethodPost, ping, guard.DefaultCallerCalls, "MCP_CALLER_CALLS", "1"},
		{"responses", http.MethodPost, response, guard.DefaultCallerCalls, "MCP_CALLER_CALLS", "null"},
		{"ends of sessions", http.MethodDelete, "", guard.DefaultCallerCalls, "MCP_CALLER_CALLS", "null"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := newBusyGuard(t, nil)
			for i := range test.limit {
				require.Equal(t, http.StatusOK, c.send(fmt.Sprintf("one/%d", i), test.method, test.body).Code, i)
			}
			for range 3 {
				refused := c.send("one/other", test.method, test.body)
				require.Equal(t, http.StatusTooManyRequests, refused.Code)
				assert.Equal(t, "1", refused.Header().Get("Retry-After"))
				var said struct {
					ID    json.RawMessage
					Error struct{ Message string }
				}
				require.NoError(t, json.Unmarshal(refused.Body.Bytes(), &said), refused.Body)
				assert.Equal(t, test.id, string(said.ID))
				assert.Contains(t, said.Error.Message, fmt.Sprint(test.limit))
			}
			assert.Equal(t, http.StatusOK, c.send("another", test.method, test.body).Code)
			assert.Equal(t, 3, strings.Count(c.log.String(), "setting="+test.setting), "a line for each")
			assert.Contains(t, c.log.String(), "object=one client=other")
			assert.Contains(t, c.log.String(), "address=192.0.2.1", "the client's address")
		})
	}
	t.Run("each kind by itself", func(t *testing.T) {
		t.Parallel()
		c := newBusyGuard(t, func(c *guard.Config) { c.Limits = guard.Limits{CallerCalls: 2, CallerStreams: 1} })
		for _, body := range []string{ping, batch, response, response} {
			require.Equal(t, http.StatusOK, c.send("one", http.MethodPost, body).Code, body)
		}
		require.Equal(t, http.StatusOK, c.send("one", http.MethodGet, "").Code)
		for _, body := range []string{ping, batch, listen} {
			require.Equal(t, http.StatusTooManyRequests, c.send("one", http.MethodPost, body).Code, body)
		}
	})
	t.Run("ended calls make room", func(t *testing.T) {
		t.Parallel()
		c := newBusyGuard(t, func(c *guard.Config) { c.Limits = guard.Limits{CallerCalls: 1, TotalCalls: 1} })
		require.Equal(t, http.StatusOK, c.send("one", http.MethodPost, ping).Code)
		require.Equal(t, http.StatusTooManyRequests, c.send("one", http.MethodPost, ping).Code)
		c.end()
		for range 3 {
			require.Equal(t, http.StatusOK, c.send("one", http.MethodPost, ping).Code)
			require.Equal(t, http.StatusBadRequest, c.send("one", http.MethodPost, "x").Code)
		}
	})
	t.Run("slow bodies leave room for calls", func(t *testing.T) {
		t.Parallel()
		c := newBusyGuard(t, func(c *guard.Config) { c.Limits = guard.Limits{CallerCalls: 1} })
		bodies := make([]*io.PipeWriter, 8)
		for i := range bodies {
			body, more := io.Pipe()
			bodies[i] = more
			r := request(http.MethodPost, "")
			r.Body = body
			r.ContentLength = -1
			r.Header.Set("Authorization", "Bearer one")
			c.running.Go(func() { c.guard.ServeHTTP(httptest.NewRecorder(), r) })
			_, err := more.Write([]byte("{")) // it is read
			require.NoError(t, err)
		}
		require.Equal(t, http.StatusTooManyRequests, c.send("one", http.MethodPost, ping).Code, "eight bodies")
		require.NoError(t, bodies[0].Close())
		for c.send("one", http.MethodPost, response).Code != http.StatusOK {
			runtime.Gosched() // the guard is about to refuse the closed body
		}
		for _, more := range bodies {
			_ = more.Close()
		}
	})
	t.Run("large bodies that are being sent", func(t *testing.T) {
		t.Parallel()
		c := newBusyGuard(t, func(config *guard.Config) {
			config.Limits = guard.Limits{CallerCalls: 3, TotalCalls: 20} // 6 MiB, 10 MiB
		})
		large := strings.Repeat(" ", 3<<20-1<<17)
		refused := make(chan int)
		send := func(who string) *io.PipeWriter {
			body, more := io.Pipe()
			r := request(http.MethodPost, "")
			r.Body = body
			r.ContentLength = -1
			r.Header.Set("Authorization", "Bearer "+who)
			w := httptest.NewRecorder()
			c.running.Go(func() {
				c.guard.ServeHTTP(w, r)
				_ = body.Close()
				if w.Code != http.StatusOK {
					refused <- w.Code
				}
			})
			return more
		}
		bodies := []*io.PipeWriter{send("one"), send("one")}
		for _, more := range bodies {
			_, err := io.WriteString(more, large)
			require.NoError(t, err)
		}
		third := send("one")
		go func() { _, _ = io.WriteString(third, large) }()
		assert.Equal(t, http.StatusTooManyRequests, <-refused)
		bodies = append(bodies, send("another"))
		_, err := io.WriteString(bodies[2], large)
		require.NoError(t, err, "another caller has room")
		fourth := send("third")
		go func() { _, _ = io.WriteString(fourth, large) }()
		assert.Equal(t, http.StatusServiceUnavailable, <-refused)
		assert.Equal(t, http.StatusOK, c.send("one", http.MethodPost, ping).Code, "small ones need no room")
		for _, more := range bodies {
			_ = more.Close()
			assert.Equal(t, http.StatusBadRequest, <-refused)
		}
		more := send("one")
		_, err = io.WriteString(more, large)
		require.NoError(t, err, "the ended requests made room")
		_ = more.Close()
		<-refused
		assert.Contains(t, c.log.String(), `reason="too many bytes of messages of this caller" limit=6291456`)
		assert.Contains(t, c.log.String(), "setting=MCP_TOTAL_CALLS")
	})
	t.Run("all together", func(t *testing.T) {
		t.Parallel()
		c := newBusyGuard(t, func(c *guard.Config) { c.Limits = guard.Limits{TotalStreams: 3, TotalCalls: 2} })
		for i, want := range []int{200, 200, 200, 503} {
			assert.Equal(t, want, c.send(fmt.Sprint(i), http.MethodGet, "").Code)
		}
		for i, want := range []int{200, 200, 503} {
			w := c.send(fmt.Sprint(i), http.MethodPost, ping)
			assert.Equal(t, want, w.Code)
			assert.Equal(t, want == 503, w.Header().Get("Retry-After") != "")
		}
		assert.Contains(t, c.log.String(), "setting=MCP_TOTAL_STREAMS")
		assert.Contains(t, c.log.String(), "setting=MCP_TOTAL_CALLS")
	})
	t.Run("no limit", func(t *testing.T) {
		t.Parallel()
		c := newBusyGuard(t, func(c *guard.Config) { c.Limits = guard.Limits{CallerStreams: -1, TotalStreams: -1} })
		for range 2 * guard.DefaultCallerStreams {
			require.Equal(t, http.StatusOK, c.send("one", http.MethodGet, "").Code)
		}
	})
	t.Run("two guards with one usage", func(t *testing.T) {
		t.Parallel()
		usage := guard.NewUsage(guard.Limits{CallerStreams: 2})
		share := func(config *guard.Config) { config.Usage = usage }
		first := newBusyGuard(t, share)
		second := newBusyGuard(t, share)
		assert.Equal(t, http.StatusOK, first.send("one", http.MethodGet, "").Code)
		assert.Equal(t, http.StatusOK, second.send("one", http.MethodGet, "").Code)
		assert.Equal(t, http.StatusTooManyRequests, first.send("one", http.MethodGet, "").Code)
	})
}

// TestDetachedWorkCounts runs work that goes on after its request.
func TestDetachedWorkCounts(t *testing.T) {
	t.Parallel()
	config := baseConfig()
	config.Verify = verifyByName
	config.Recheck = -1
	config.Limits = guard.Limits{CallerCalls: 2}
	type work struct {
		ctx context.Context
		end context.CancelFunc
	}
	var all []work
	g := newGuard(t, config, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		ctx, end := guard.Detached(r.Context())
		all = append(all, work{ctx, end})
		ctx, end = guard.Detached(r.Context()) // a second time, so it needs a slot of its own
		all = append(all, work{ctx, end})
	}))
	send := func() int {
		r := request(http.MethodPost, ping)
		r.Header.Set("Authorization", "Bearer one")
		w := httptest.NewRecorder()
		g.ServeHTTP(w, r)
		return w.Code
	}
	require.Equal(t, http.StatusOK, send())
	require.Len(t, all, 2)
	assert.NoError(t, all[0].ctx.Err())
	assert.NoError(t, all[1].ctx.Err())
	assert.Equal(t, http.StatusTooManyRequests, send(), "both go on")
	all[0].end()
	require.Equal(t, http.StatusOK, send())
	require.Len(t, all, 4)
	assert.NoError(t, all[2].ctx.Err(), "it has the slot of its request")
	assert.Error(t, all[3].ctx.Err(), "there is no slot for this one")
	assert.ErrorContains(t, context.Cause(all[3].ctx), "running calls")
	for _, work := range all {
		work.end()
		work.end()
	}
	assert.Equal(t, http.StatusOK, send())
}

// TestLogNamesLimitThatClosesSession has a limit of the caller, and one of all callers.
func TestLogNamesLimitThatClosesSession(t *testing.T) {
	t.Parallel()
	for setting, limits := range map[string]guard.Limits{
		"MCP_CALLER_SESSIONS": {CallerSessions: 1},
		"MCP_TOTAL_SESSIONS":  {TotalSessions: 1},
	} {
		var log strings.Builder
		config := baseConfig()
		config.Verify = verifyByName
		config.Recheck = -1
		config.Stateful = true
		config.Limits = limits
		config.Logger = slog.New(slog.NewTextHandler(&log, nil))
		g := newGuard(t, config, &sessionKeeper{open: map[string]string{}})
		for range 2 {
			r := request(http.MethodPost, initialize)
			r.Header.Set("Authorization", "Bearer one")
			g.ServeHTTP(httptest.NewRecorder(), r)
		}
		assert.Contains(t, log.String(), "gives way")
		assert.Contains(t, log.String(), "setting="+setting)
	}
}

func TestOwnSessionsGiveWay(t *testing.T) {
	t.Parallel()
	type sender func(who, method, body, session string) (status int, begun string)
	keep := func(t *testing.T, limits guard.Limits) (*sessionKeeper, sender) {
		k := &sessionKeeper{open: map[string]string{}}
		config := baseConfig()
		config.Verify = verifyByName
		config.Recheck = -1
		config.Stateful = true
		config.Limits = limits
		g := newGuard(t, config, k)
		return k, func(who, method, body, session string) (int, string) {
			r := request(method, body)
			r.Header.Set("Authorization", "Bearer "+who)
			if session != "" {
				r.Header.Set("Mcp-Session-Id", session)
			}
			w := httptest.NewRecorder()
			g.ServeHTTP(w, r)
			return w.Code, w.Header().Get("Mcp-Session-Id")
		}
	}
	t.Run("in the sessionless revision", func(t *testing.T) {
		t.Parallel()
		k := &sessionKeeper{open: map[string]string{}}
		config := baseConfig()
		config.Verify = verifyByName
		config.Recheck = -1
		g := newGuard(t, config, k)
		for range 3 * guard.DefaultCallerSessions {
			r := request(http.MethodPost, initialize)
			r.Header.Set("Authorization", "Bearer one")
			r.Header.Set("Mcp-Protocol-Version", "2026-07-28")
			w := httptest.NewRecorder()
			g.ServeHTTP(w, r)
			require.Empty(t, w.Header().Get("Mcp-Session-Id"), "that revision has none")
		}
		assert.Equal(t, guard.DefaultCallerSessions, k.of("one"))
	})
	t.Run("if the callers do not wait", func(t *testing.T) {
		t.Parallel()
		k := &sessionKeeper{open: map[string]string{}}
		config := baseConfig()
		config.Verify = verifyByName
		config.Recheck = -1
		var ended error
		g := newGuard(t, config, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ended = errors.Join(ended, r.Context().Err())
			k.ServeHTTP(w, r)
		}))
		for range 3 * guard.DefaultCallerSessions {
			ctx, leave := context.WithCancel(t.Context())
			r := request(http.MethodPost, initialize).WithContext(ctx)
			r.Header.Set("Authorization", "Bearer one")
			leave()
			g.ServeHTTP(httptest.NewRecorder(), r)
		}
		require.NoError(t, ended, "the guard waits for a session to open")
		assert.Equal(t, guard.DefaultCallerSessions, k.of("one"))
	})
	t.Run("to newer ones", func(t *testing.T) {
		t.Parallel()
		k, send := keep(t, guard.Limits{})
		_, theirs := send("another", http.MethodPost, initialize, "")
		_, first := send("one", http.MethodPost, initialize, "")
		_, second := send("one", http.MethodPost, initialize, "")
		for i := range 10_400 {
			status, session := send(fmt.Sprintf("one/%d", i%3), http.MethodPost, initialize, "")
			require.Equal(t, http.StatusOK, status)
			require.NotEmpty(t, session)
			if i%50 == 0 {
				status, _ = send("one", http.MethodPost, ping, first)
				require.Equal(t, http.StatusOK, status, "it is used")
			}
		}
		assert.Equal(t, guard.DefaultCallerSessions, k.of("one"))
		status, _ := send("one", http.MethodPost, ping, second)
		assert.Equal(t, http.StatusNotFound, status)
		status, _ = send("another", http.MethodPost, ping, theirs)
		assert.Equal(t, http.StatusOK, status, "other callers keep their sessions")
	})
	t.Run("before the total is exceeded", func(t *testing.T) {
		t.Parallel()
		k, send := keep(t, guard.Limits{CallerSessions: 4, TotalSessions: 5})
		for range 4 {
			send("many", http.MethodPost, initialize, "")
		}
		_, few := send("few", http.MethodPost, initialize, "")
		_, newer := send("few", http.MethodPost, initialize, "")
		status, _ := send("few", http.MethodPost, ping, few)
		assert.Equal(t, http.StatusNotFound, status, "its own gave way")
		status, _ = send("third", http.MethodPost, initialize, "")
		assert.Equal(t, http.StatusOK, status)
		assert.Equal(t, 3, k.of("many"), "the caller with the most sessions loses one")
		status, _ = send("few", http.MethodPost, ping, newer)
		assert.Equal(t, http.StatusOK, status)
		assert.Len(t, k.open, 5)
	})
	t.Run("but not the only one of another caller", func(t *testing.T) {
		t.Parallel()
		k, send := keep(t, guard.Limits{TotalSessions: 2})
		send("one", http.MethodPost, initialize, "")
		send("another", http.MethodPost, initialize, "")
		status, _ := send("third", http.MethodPost, initialize, "")
		assert.Equal(t, http.StatusServiceUnavailable, status)
		assert.Len(t, k.open, 2)
	})
	t.Run("and closed ones do not count", func(t *testing.T) {
		t.Parallel()
		k, send := keep(t, guard.Limits{CallerSessions: 2})
		_, kept := send("one", http.MethodPost, initialize, "")
		for range 10 {
			_, session := send("one", http.MethodPost, initialize, "")
			status, _ := send("one", http.MethodDelete, "", session)
			require.Equal(t, http.StatusOK, status)
		}
		_, gone := send("one", http.MethodPost, initialize, "")
		clear(k.open)
		k.open["s1"] = "one"
		status, _ := send("one", http.MethodPost, ping, gone)
		require.Equal(t, http.StatusNotFound, status, "the handler has ended it")
		_, _ = send("one", http.MethodPost, initialize, "")
		status, _ = send("one", http.MethodPost, ping, kept)
		assert.Equal(t, http.StatusOK, status)
	})
	t.Run("but a handler without sessions has no limit", func(t *testing.T) {
		t.Parallel()
		config := baseConfig()
		config.Limits = guard.Limits{CallerSessions: 1}
		g := newGuard(t, config, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		for range 3 {
			w := httptest.NewRecorder()
			g.ServeHTTP(w, request(http.MethodPost, initialize))
			assert.Equal(t, http.StatusOK, w.Code)
		}
	})
}

// TestBatchAnswersAreLimited runs messages with large answers until there are too many bytes.
func TestBatchAnswersAreLimited(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name        string
		limit, size int
		ran, whole  int // how many messages run, and how many get their own answer
	}{
		{"enough for all", 1 << 20, 1000, 10, 10},
		{"enough for two", 3 * 1000, 1000, 3, 2}, // an answer has more bytes than its text
		{"enough for none", 500, 1000, 1, 0},
		{"no limit", -1, 100_000, 10, 10},
		{"limit of one answer", 64 << 20, 5 << 20, 10, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			config := baseConfig()
			config.Limits = guard.Limits{BatchAnswers: int64(test.limit)}
			config.Logger = slog.New(slog.NewTextHandler(&log, nil))
			ran := 0
			g := newGuard(t, config, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				ran++
				var asked struct{ ID int }
				_ = json.NewDecoder(r.Body).Decode(&asked)
				_, _ = fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%d,"result":%q}`, asked.ID, strings.Repeat("x", test.size))
			}))
			var messages []string
			for i := range 10 {
				messages = append(messages, fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"ping"}`, i+1))
			}
			w := httptest.NewRecorder()
			g.ServeHTTP(w, request(http.MethodPost, "["+strings.Join(messages, ",")+"]"))
			require.Equal(t, http.StatusOK, w.Code)
			assert.Equal(t, "application/json", w.Header().Get("Content-Type"))
			var answers []struct {
				ID     int
				Result string
				Error  *struct{ Message string }
			}
			require.NoError(t, json.Unmarshal(w.Body.Bytes(), &answers))
			require.Len(t, answers, 10)
			whole := 0
			for i, answer := range answers {
				assert.Equal(t, i+1, answer.ID)
				if answer.Error == nil {
					assert.Len(t, answer.Result, test.size)
					whole++
				}
			}
			assert.Equal(t, test.whole, whole)
			assert.Equal(t, test.ran, ran)
			full := test.ran < 10
			assert.Equal(t, full, strings.Contains(log.String(), "MCP_BATCH_ANSWERS"))
			if full {
				assert.Less(t, w.Body.Len(), test.limit+10*200)
			}
		})
	}
}
