package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// leastVersion is the first major version that refuses a writing script on a replica as a whole.
const leastVersion = 7

// checkServer runs on each new connection, before its first command. So it also checks a server
// that has taken over.
func (a *address) checkServer(ctx context.Context, connection *redis.Conn) error {
	text, err := connection.Info(ctx).Result()
	if err != nil {
		return &unsentError{fmt.Errorf("INFO: %w; the ACL user needs +info", err)}
	}
	if err := a.judge(readInfo(text)); err != nil {
		return &unsentError{err}
	}
	return nil
}

func readInfo(text string) map[string]string {
	info := map[string]string{}
	for line := range strings.Lines(text) {
		name, value, found := strings.Cut(strings.TrimSpace(line), ":")
		if found {
			info[name] = value
		}
	}
	return info
}

// judge reports why a server cannot hold the store, by its answer to INFO.
func (a *address) judge(info map[string]string) error {
	mode := info["redis_mode"]
	if mode == "sentinel" {
		return a.judgeSentinel()
	}
	if info["loading"] == "1" {
		return &loadingError{percent: info["loading_loaded_perc"], seconds: info["loading_eta_seconds"]}
	}
	major, _, _ := strings.Cut(info["redis_version"], ".")
	version, err := strconv.Atoi(major)
	switch {
	case err != nil || version < leastVersion:
		return fmt.Errorf("the server is Redis %q: want %d or newer", info["redis_version"], leastVersion)
	case mode == "cluster" && a.form != formCluster:
		return errors.New("the server is a node of a cluster: write redis+cluster:// or rediss+cluster://")
	case info["role"] != "master" && a.form != formCluster:
		return errors.New("the server is a replica, which takes no writes: name the primary, or the sentinels " +
			"with redis+sentinel://")
	case info["aof_enabled"] != "1" && !a.volatile:
		return errors.New("the server keeps no append-only file, so a restart loses records: set appendonly yes, or " +
			"add persistence=none behind ? to accept that")
	case info["maxmemory_policy"] != "noeviction":
		return fmt.Errorf("the server evicts records when its memory is full (maxmemory-policy %s): "+
			"set maxmemory-policy noeviction", info["maxmemory_policy"])
	}
	return nil
}

func (a *address) judgeSentinel() error {
	if a.form != formSentinel {
		return errors.New("the server is a sentinel: write redis+sentinel://HOST,HOST/NAME")
	}
	return nil
}
