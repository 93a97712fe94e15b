package fetch

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
)

func put(c *cache[string], url, site, network string) {
	c.put(url, &entry[string]{value: url, size: 1000, site: site, network: network})
}

func has(c *cache[string], url string) bool {
	_, found := c.get(url)
	return found
}

// TestCacheIsBounded fills the cache from one network with documents of many sites. The document
// of another network stays.
func TestCacheIsBounded(t *testing.T) {
	t.Parallel()
	c := newCache[string](100_000)
	put(c, "good", "good.example", "good")
	for i := range 10_000 {
		put(c, fmt.Sprint(i), fmt.Sprint("site", i), "flood")
	}
	assert.True(t, has(c, "good"))
	assert.True(t, has(c, "9999"))
	assert.False(t, has(c, "5000"))
	assert.Equal(t, 100_000, c.size)
	assert.Len(t, c.entries, 100)
	assert.Equal(t, 100, c.recent.Len())
	assert.Len(t, c.sites, 100)
	assert.Len(t, c.networks, 2)
}

// TestSiteHasShareOfCache fills the cache with the documents of one site.
func TestSiteHasShareOfCache(t *testing.T) {
	t.Parallel()
	c := newCache[string](100_000)
	put(c, "good", "good.example", "network")
	for i := range 1000 {
		put(c, fmt.Sprint(i), "site.example", "network")
	}
	assert.True(t, has(c, "good"))
	assert.True(t, has(c, "999"))
	assert.Equal(t, 26_000, c.size)
	c.remove("good")
	put(c, "999", "site.example", "network")
	assert.Equal(t, 25_000, c.size)
}
