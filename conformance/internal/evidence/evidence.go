package evidence

import (
	"context"
	"slices"
	"sync"
)

// A result keeps the first exchanges of a try, which are the controls, and the last, which decide.
const (
	firstExchanges = 2
	lastExchanges  = 6
)

// A Collection holds descriptions of the exchanges of one try. It is safe for concurrent use.
type Collection struct {
	mu    sync.Mutex
	count int
	first []func() string
	last  []func() string
}

type collectionKey struct{}

// Collect returns a context whose exchanges the collection keeps.
func Collect(parent context.Context) (context.Context, *Collection) {
	collection := &Collection{}
	return context.WithValue(parent, collectionKey{}, collection), collection
}

// Record keeps an exchange of the try that runs with the context. Describe returns the request and
// the head of its response, without credentials. It is called at the end of the try, because all
// credentials are known then. Without a collection in the context, Record does nothing.
func Record(ctx context.Context, describe func() string) {
	kept, ok := ctx.Value(collectionKey{}).(*Collection)
	if !ok {
		return
	}
	kept.mu.Lock()
	defer kept.mu.Unlock()
	kept.count++
	if len(kept.first) < firstExchanges {
		kept.first = append(kept.first, describe)
		return
	}
	if len(kept.last) == lastExchanges {
		copy(kept.last, kept.last[1:])
		kept.last = kept.last[:lastExchanges-1]
	}
	kept.last = append(kept.last, describe)
}

// Exchanges describes the kept exchanges in their order, and returns the number of all.
func (c *Collection) Exchanges() (exchanges []string, count int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, describe := range slices.Concat(c.first, c.last) {
		exchanges = append(exchanges, describe())
	}
	return exchanges, c.count
}
