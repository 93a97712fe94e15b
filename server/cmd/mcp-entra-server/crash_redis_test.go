package main_test

import (
	"testing"
	"time"

	"mcpentra/server/internal/engine"
)

// TestRedisCrashes kills two replicas and their Redis under load. It also kills a primary, so that
// a replica takes over.
func TestRedisCrashes(t *testing.T) {
	t.Parallel()
	t.Run("replica", func(t *testing.T) {
		crash(t, engine.Redis(t), crashes(1, 10), func(r *replicas, round int) {
			r.kill(t, round%2)
			r.restart(t, round%2)
		})
	})
	t.Run("engine", func(t *testing.T) {
		server := engine.StartRedis(t)
		crash(t, server.URL("crash"), crashes(1, 20), func(*replicas, int) {
			server.Kill(t)
			server.Start(t)
		})
	})
	t.Run("sentinel", func(t *testing.T) {
		const safe = "min-replicas-to-write 1"
		primary := engine.StartRedis(t, safe)
		primary.StartReplica(t, safe)
		primary.StartReplica(t, safe)
		sentinel := primary.StartSentinel(t, 1500*time.Millisecond)
		sentinel.Becomes(t, "num-slaves 2", "SENTINEL", "MASTERS")
		url := "redis+sentinel://" + sentinel.Address() + "/primary?wait_time=4s"
		crash(t, url, 1, func(*replicas, int) { primary.Kill(t) })
	})
}
