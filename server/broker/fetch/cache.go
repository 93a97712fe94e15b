package fetch

import (
	"container/list"
	"crypto/sha256"
	"net/http"
	"sync"
	"time"
)

const (
	// overhead is what an entry needs beside its document, in bytes.
	overhead = 1024
	// staleLifetime is how long a document may still be used after it stopped to be fresh, if its
	// host cannot be reached.
	staleLifetime = 24 * time.Hour
	// siteShare is the part of the cache that one site may fill.
	siteShare = 4
)

// An entry is a good document.
type entry[T any] struct {
	key       [sha256.Size]byte // of the URL
	value     T
	freshness freshness
	header    http.Header // the fields in keptFields

	size    int
	site    string
	network string // that caused it first
}

// A cache holds the good documents. It is bounded in bytes. If it is full, the network with the
// most bytes loses the document that it used least recently. So one network does not push out the
// documents of others.
type cache[T any] struct {
	most int

	mu       sync.Mutex
	size     int
	entries  map[[sha256.Size]byte]*list.Element
	recent   *list.List // of *entry[T]; the front was used last
	sites    map[string]int
	networks map[string]int
}

func newCache[T any](most int) *cache[T] {
	return &cache[T]{
		most:     most,
		entries:  map[[sha256.Size]byte]*list.Element{},
		recent:   list.New(),
		sites:    map[string]int{},
		networks: map[string]int{},
	}
}

func keyOf(url string) [sha256.Size]byte { return sha256.Sum256([]byte(url)) }

// get returns the document of a URL, fresh or not.
func (c *cache[T]) get(url string) (*entry[T], bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	element, found := c.entries[keyOf(url)]
	if !found {
		return nil, false
	}
	c.recent.MoveToFront(element)
	return element.Value.(*entry[T]), true
}

// put replaces the document of a URL. Entries never change, so that readers need no lock.
func (c *cache[T]) put(url string, made *entry[T]) {
	c.mu.Lock()
	defer c.mu.Unlock()
	made.key = keyOf(url)
	if element, found := c.entries[made.key]; found {
		c.drop(element)
	}
	c.entries[made.key] = c.recent.PushFront(made)
	c.size += made.size
	c.sites[made.site] += made.size
	c.networks[made.network] += made.size
	for c.sites[made.site] > c.most/siteShare {
		c.drop(c.oldest(func(e *entry[T]) bool { return e.site == made.site }))
	}
	for c.size > c.most {
		heaviest := c.heaviest()
		c.drop(c.oldest(func(e *entry[T]) bool { return e.network == heaviest }))
	}
}

func (c *cache[T]) remove(url string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if element, found := c.entries[keyOf(url)]; found {
		c.drop(element)
	}
}

func (c *cache[T]) drop(element *list.Element) {
	dropped := c.recent.Remove(element).(*entry[T])
	delete(c.entries, dropped.key)
	c.size -= dropped.size
	subtract(c.sites, dropped.site, dropped.size)
	subtract(c.networks, dropped.network, dropped.size)
}

func subtract(sizes map[string]int, key string, size int) {
	sizes[key] -= size
	if sizes[key] == 0 {
		delete(sizes, key)
	}
}

func (c *cache[T]) oldest(matches func(*entry[T]) bool) *list.Element {
	for element := c.recent.Back(); element != nil; element = element.Prev() {
		if matches(element.Value.(*entry[T])) {
			return element
		}
	}
	return c.recent.Back()
}

func (c *cache[T]) heaviest() string {
	heaviest := ""
	most := 0
	for network, size := range c.networks {
		if size > most {
			heaviest = network
			most = size
		}
	}
	return heaviest
}
