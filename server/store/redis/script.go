package redis

import (
	_ "embed"

	"github.com/redis/go-redis/v9"
)

//go:embed scripts/library.lua
var library string

//go:embed scripts/get.lua
var getText string

//go:embed scripts/put.lua
var putText string

//go:embed scripts/take.lua
var takeText string

//go:embed scripts/delete.lua
var deleteText string

//go:embed scripts/list.lua
var listText string

//go:embed scripts/kinds.lua
var kindsText string

//go:embed scripts/open.lua
var openText string

// A script runs on the server. Redis refuses each of them on a replica, even those that only read.
// A server that was demoted therefore does not answer with old records.
type script struct {
	*redis.Script
	writes bool
}

// The engine refuses put when its memory is full. The others free memory, or need none.
var (
	get        = script{redis.NewScript("#!lua flags=allow-oom\n" + library + getText), false}
	put        = script{redis.NewScript("#!lua\n" + library + putText), true}
	take       = script{redis.NewScript("#!lua flags=allow-oom\n" + library + takeText), true}
	del        = script{redis.NewScript("#!lua flags=allow-oom\n" + library + deleteText), true}
	list       = script{redis.NewScript("#!lua flags=allow-oom\n" + library + listText), false}
	kinds      = script{redis.NewScript("#!lua flags=allow-oom\n" + library + kindsText), false}
	openFormat = script{redis.NewScript("#!lua\n" + library + openText), true}
)
