package redis

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestURLsAreRead(t *testing.T) {
	t.Parallel()
	plain := func(change func(*address)) *address {
		a := &address{form: formServer, hosts: []string{"h:6379"}, prefix: "mcpentra", waitTime: time.Second}
		change(a)
		return a
	}
	for url, want := range map[string]*address{
		"redis://h":    plain(func(*address) {}),
		"redis://h/3":  plain(func(a *address) { a.database = 3 }),
		"redis://h:1/": plain(func(a *address) { a.hosts = []string{"h:1"} }),
		"rediss://u:p%40%2F%3A@[::1]:7/?db=2&persistence=none&plaintext=yes": {
			form:      formServer,
			isTLS:     true,
			hosts:     []string{"[::1]:7"},
			username:  "u",
			password:  "p@/:",
			prefix:    "mcpentra",
			waitTime:  time.Second,
			database:  2,
			volatile:  true,
			plaintext: true,
		},
		"redis+unix:///run/r.sock?prefix=a.b": {
			form:     formSocket,
			hosts:    []string{"/run/r.sock"},
			prefix:   "a.b",
			waitTime: time.Second,
		},
		"redis+cluster://h,i:2?wait=2&wait_time=50ms": {
			form:     formCluster,
			hosts:    []string{"h:6379", "i:2"},
			prefix:   "mcpentra",
			wait:     2,
			waitTime: 50 * time.Millisecond,
		},
		"redis+sentinel://:pw@h,[::1]/main?sentinel_user=s&sentinel_password=t": {
			form:             formSentinel,
			hosts:            []string{"h:26379", "[::1]:26379"},
			master:           "main",
			password:         "pw",
			sentinelUsername: "s",
			sentinelPassword: "t",
			prefix:           "mcpentra",
			wait:             1,
			waitTime:         time.Second,
		},
	} {
		got, err := readAddress(url)
		require.NoError(t, err, url)
		assert.Equal(t, want, got, url)
	}
}

func TestWrongURLsAreRefused(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"redis:h":                               "want redis://",
		"http://u:hush@h":                       "want redis://",
		"redis://u:hush@":                       "HOST:PORT",
		"redis://u:hu/sh@h":                     "%2F",
		"redis://u:hu#sh@h:x":                   "HOST:PORT",
		"redis://u:hush%@h":                     "percent sign",
		"redis://u:hush@h:0":                    "HOST:PORT",
		"redis://u:hush@h:70000":                "HOST:PORT",
		"redis://u:hush@h,i":                    "several hosts",
		"redis://u:hush@h/name":                 "number of a database",
		"redis://u:hush@h?db=-1":                "db: want a number",
		"redis://u:hush@h?persistence=hush":     "persistence: want none",
		"redis://u:hush@h?plaintext=no":         "plaintext: want yes",
		"redis://u:hush@h?hush=1":               "unknown",
		"redis://u:hush@h?db=1&db=2":            "twice",
		"redis://u:hush@h?prefix={hush}":        "prefix",
		"redis://u:hush@h?wait=11":              "wait: want a number",
		"redis://u:hush@h?wait_time=9s":         "wait_time",
		"redis://u:hush@h?ca_file=hush":         "rediss",
		"redis+unix://hush/run/r.sock":          "three slashes",
		"redis+sentinel://u:hush@h":             "name of the primary",
		"redis+sentinel://u:hush@h/main?x=hush": "unknown",
		"redis+cluster://u:hush@h/1":            "database 0",
	} {
		_, err := readAddress(url)
		require.ErrorContains(t, err, want, url)
		assert.NotContains(t, err.Error(), "hush", url)
	}
}

// TestServersAreJudged reads answers to INFO.
func TestServersAreJudged(t *testing.T) {
	t.Parallel()
	good := map[string]string{
		"redis_version":    "7.0.15",
		"redis_mode":       "standalone",
		"role":             "master",
		"aof_enabled":      "1",
		"maxmemory_policy": "noeviction",
	}
	for _, test := range []struct{ name, value, url, want string }{
		{"role", "master", "redis://h", ""},
		{"redis_version", "8.2.1", "redis://h", ""},
		{"redis_version", "6.2.20", "redis://h", "7 or newer"},
		{"redis_version", "", "redis://h", "7 or newer"},
		{"redis_mode", "cluster", "redis://h", "redis+cluster"},
		{"redis_mode", "cluster", "redis+cluster://h", ""},
		{"redis_mode", "sentinel", "redis://h", "redis+sentinel"},
		{"redis_mode", "sentinel", "redis+sentinel://h/main", ""},
		{"role", "slave", "redis://h", "is a replica"},
		{"role", "slave", "redis+sentinel://h/main", "is a replica"},
		{"role", "slave", "redis+cluster://h", ""},
		{"loading", "1", "redis://h", "is loading"},
		{"loading", "0", "redis://h", ""},
		{"aof_enabled", "0", "redis://h", "appendonly yes"},
		{"aof_enabled", "", "redis://h", "appendonly yes"},
		{"aof_enabled", "0", "redis://h?persistence=none", ""},
		{"maxmemory_policy", "volatile-lru", "redis://h", "noeviction"},
		{"maxmemory_policy", "allkeys-lru", "redis://h?persistence=none", "noeviction"},
		{"maxmemory_policy", "", "redis://h", "noeviction"},
	} {
		info := map[string]string{}
		for name, value := range good {
			info[name] = value
		}
		info[test.name] = test.value
		a, err := readAddress(test.url)
		require.NoError(t, err)
		err = a.judge(info)
		if test.want == "" {
			assert.NoError(t, err, test)
		} else {
			assert.ErrorContains(t, err, test.want, test)
		}
	}
}

func TestUnencryptedConnectionsAreExposed(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]bool{
		"redis://localhost":                                false,
		"redis://127.0.0.1:7000":                           false,
		"redis+unix:///run/redis/redis.sock":               false,
		"rediss://redis.example":                           false,
		"redis://redis.example?plaintext=yes":              true,
		"redis+sentinel://s1.test,s2.test/m?plaintext=yes": true,
	} {
		a, err := readAddress(url)
		require.NoError(t, err, url)
		assert.Equal(t, want, a.isExposed(), url)
	}
}
