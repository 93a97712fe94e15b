package check

import (
	"context"
	"iter"
	"slices"
	"sync"
)

// tried tries checks, and yields the results of each in the order of the checks. At most limit
// checks run at once. Disruptive checks run alone, after all others.
func tried(ctx context.Context, checks []Bound, limit int) iter.Seq[[]Result] {
	return func(yield func([]Result) bool) {
		done := make([]chan []Result, len(checks))
		for i := range done {
			done[i] = make(chan []Result, 1)
		}
		var running sync.WaitGroup
		defer running.Wait()
		running.Go(func() {
			tryAll(ctx, checks, done, limit, false)
			tryAll(ctx, checks, done, 1, true)
		})
		for _, results := range done {
			if !yield(<-results) {
				return
			}
		}
	}
}

// tryAll tries the checks that are disruptive, or those that are not, and waits for them.
func tryAll(ctx context.Context, checks []Bound, done []chan []Result, limit int, disruptive bool) {
	var running sync.WaitGroup
	defer running.Wait()
	free := make(chan struct{}, limit)
	for i, current := range checks {
		if current.Disruptive != disruptive {
			continue
		}
		free <- struct{}{}
		running.Go(func() {
			done[i] <- current.Run(ctx)
			<-free
		})
	}
}

// quietFirst orders checks so that the disruptive ones come last.
func quietFirst(checks []Bound) []Bound {
	isDisruptive := func(current Bound) bool { return current.Disruptive }
	isQuiet := func(current Bound) bool { return !current.Disruptive }
	quiet := slices.DeleteFunc(slices.Clone(checks), isDisruptive)
	return append(quiet, slices.DeleteFunc(slices.Clone(checks), isQuiet)...)
}
