// Package redis keeps a store in Redis 7 or newer, or in Valkey.
//
// Each call is one script, so it happens as a whole or not at all. All keys of a store share one
// hash tag. On Redis Cluster a store therefore lives in one slot, on one primary: Cluster makes it
// available and not larger.
//
// # What survives
//
// A write is acknowledged when its call has returned without an error. This much of the
// acknowledged writes can be lost:
//
//	                              process killed  machine lost  another primary
//	appendfsync everysec          nothing         1 s           -
//	appendfsync always            nothing         nothing       -
//	Sentinel, wait=1,             nothing         nothing       nothing
//	  min-replicas-to-write 1
//	Sentinel or Cluster, wait=0   -               -             the last writes
//
// The promise about Sentinel needs a replica that has acknowledged the write and is promoted. With
// two replicas, wait=1 is enough only if Sentinel promotes the replica with the most data, which it
// does while it can reach it. Use wait=2 to be independent of the choice.
//
// If writes are lost, a refresh token that was rotated in the last moment is the current one again.
// Records with the mark [store.Record.Once], such as codes, never come back: after a restart, and
// after another primary has taken over, they do not exist.
package redis
