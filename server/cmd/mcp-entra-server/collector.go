package main

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// leastHeap is the size in bytes to which the heap grows before each garbage collection, even if
// little of it is in use. With GOGC=100 a heap with 4 MB in use is collected at 8 MB, which takes
// about a tenth of the processor time of a busy server.
const leastHeap = 20 << 20

// paceCollector delays garbage collections until the heap has leastHeap. It returns the memory of a
// larger heap as early as GOGC=100 does, so it costs memory only while little is in use. A fixed
// GOGC would cost several times a large heap, and a fixed GOMEMLIMIT would let the collector run
// without a pause once more than the limit is in use.
func paceCollector() {
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	present := 0
	afterEachCollection(func() {
		metrics.Read(live)
		percent := collectorPercent(live[0].Value.Uint64())
		if percent != present {
			debug.SetGCPercent(percent)
			present = percent
		}
	})
}

// collectorPercent returns the value of GOGC for a number of bytes in use. The value changes in
// steps, because each change stops the program for a moment.
func collectorPercent(live uint64) int {
	const most = 400
	const step = 50
	growth := 100 * (leastHeap - float64(min(live, leastHeap))) / float64(max(live, 1))
	return int(min(max(growth, 100), most)) / step * step
}

// afterEachCollection calls a function after each garbage collection, in a goroutine of the
// runtime. The collector finds an object without references then.
func afterEachCollection(call func()) {
	type unused struct{ _ *int }
	runtime.AddCleanup(new(unused), func(struct{}) {
		call()
		afterEachCollection(call)
	}, struct{}{})
}
