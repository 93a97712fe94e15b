package redis_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9/logging"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"mcpentra/server/internal/engine"
	"mcpentra/server/store"
	"mcpentra/server/store/redis"
)

func TestMain(m *testing.M) {
	logging.Disable() // of go-redis
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("os/exec.(*Cmd).Wait"), // the shared engine ends with the process
	)
}

// open opens a store that closes with the test.
func open(t *testing.T, url string) store.Store {
	t.Helper()
	s, err := redis.Open(t.Context(), redis.Config{URL: url})
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

var prefixes atomic.Int64

// fresh adds a prefix to a URL, so that it names an empty store.
func fresh(url string) string {
	separator := "?"
	if strings.Contains(url, "?") {
		separator = "&"
	}
	return url + separator + fmt.Sprint("prefix=own", prefixes.Add(1))
}

// socketURL names an empty store of an engine of the test.
func socketURL(server *engine.RedisServer) string {
	return server.URL(fmt.Sprint("own", prefixes.Add(1)))
}

func record(key, value string) store.Record {
	return store.Record{Kind: "k", Key: key, Value: []byte(value), Expires: time.Now().Add(time.Hour)}
}
