package check

import (
	"context"
	"iter"
	"slices"
	"sync"
)

// tried tries checks, and yields the results of each in the order of the checks. The selection says
// how many run at once. Slow checks begin first. Disruptive checks, and those that change the
// target for others, run alone, after all others.
func tried(ctx context.Context, checks []Bound, selection Selection) iter.Seq[[]Result] {
	return func(yield func([]Result) bool) {
		done := make([]chan []Result, len(checks))
		for i := range done {
			done[i] = make(chan []Result, 1)
		}
		var running sync.WaitGroup
		defer running.Wait()
		running.Go(func() {
			isQuick := func(b *Bound) bool { return b.isQuiet() && !b.Slow }
			isSlow := func(b *Bound) bool { return b.isQuiet() && b.Slow }
			ended := counter(selection.Ended, len(checks))
			tryAll(ctx, checks, done, ended, max(1, selection.Parallel), isSlow, isQuick)
			tryAll(ctx, checks, done, ended, 1, (*Bound).isLoud)
		})
		for _, results := range done {
			if !yield(<-results) {
				return
			}
		}
	}
}

// isLoud reports whether a check must run without others.
func (b *Bound) isLoud() bool { return b.Disruptive || b.Alone }

func (b *Bound) isQuiet() bool { return !b.isLoud() }

// tryAll tries the checks of some kinds, one kind after the other, and waits for them.
func tryAll(
	ctx context.Context,
	checks []Bound,
	done []chan []Result,
	ended func(),
	limit int,
	kinds ...func(*Bound) bool,
) {
	var running sync.WaitGroup
	defer running.Wait()
	free := make(chan struct{}, limit)
	for _, isOne := range kinds {
		for i, current := range checks {
			if !isOne(&current) {
				continue
			}
			free <- struct{}{}
			running.Go(func() {
				done[i] <- current.Run(ctx)
				ended()
				<-free
			})
		}
	}
}

// counter returns a func that counts the checks that have ended.
func counter(report func(ended, all int), all int) func() {
	var mu sync.Mutex
	ended := 0
	return func() {
		mu.Lock()
		defer mu.Unlock()
		ended++
		if report != nil {
			report(ended, all)
		}
	}
}

// byTopic orders checks so that those with the same first two segments of their IDs stay together.
// The topics keep the order of their first checks.
func byTopic(checks []Bound) []Bound {
	place := map[string]int{}
	for i, current := range checks {
		if _, known := place[current.topic()]; !known {
			place[current.topic()] = i
		}
	}
	sorted := slices.Clone(checks)
	slices.SortStableFunc(sorted, func(a, b Bound) int { return place[a.topic()] - place[b.topic()] })
	return sorted
}

// quietFirst orders checks so that those that must run without others come last.
func quietFirst(checks []Bound) []Bound {
	quiet := slices.DeleteFunc(slices.Clone(checks), func(current Bound) bool { return current.isLoud() })
	loud := slices.DeleteFunc(slices.Clone(checks), func(current Bound) bool { return current.isQuiet() })
	return append(quiet, loud...)
}
