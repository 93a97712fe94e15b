package fetch_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"mcpentra/server/broker/fetch"
)

func TestAnswersThatDoNotCount(t *testing.T) {
	t.Parallel()
	for name, tried := range map[string]struct {
		handler http.HandlerFunc
		want    fetch.Reason
	}{
		"404":           {status(http.StatusNotFound), fetch.Withdrawn},
		"410":           {status(http.StatusGone), fetch.Withdrawn},
		"500":           {status(http.StatusInternalServerError), fetch.Unreachable},
		"206":           {status(http.StatusPartialContent), fetch.Unreachable},
		"304":           {status(http.StatusNotModified), fetch.Unreachable},
		"no answer":     {dropped, fetch.Unreachable},
		"HTML":          {says("hello", "Content-Type", "text/html"), fetch.Invalid},
		"no type":       {says("hello", "Content-Type", ""), fetch.Invalid},
		"gzip":          {says("hello", "Content-Encoding", "gzip"), fetch.Invalid},
		"no member":     {says(""), fetch.Invalid},
		"too large":     {says(strings.Repeat("x", 64<<10)), fetch.Invalid},
		"a long header": {says("hello", "X-Long", strings.Repeat("x", 64<<10)), fetch.Unreachable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := start(t, tried.handler)
			e.mustFail(t, document, tried.want)
			_, found := e.Last(document)
			assert.False(t, found)
			e.advance(time.Minute)
			e.serve(says("hello"))
			e.mustGet(t, document, "hello") // an error is not cached
		})
	}
}

func dropped(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

func TestJSONTypes(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"application/json; charset=utf-8", "application/client+json", "Application/JSON"} {
		e := start(t, says("hello", "Content-Type", kind))
		e.mustGet(t, document, "hello")
	}
}

func TestRedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	for _, code := range []int{301, 302, 303, 307, 308} {
		e := start(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/client.json" {
				http.Redirect(w, r, "/other.json", code)
				return
			}
			says("hello")(w, r)
		})
		e.mustFail(t, document, fetch.Unreachable)
		assert.EqualValues(t, 1, e.fetches.Load())
	}
}

// TestFailedHostIsLeftAlone wants a pause of some seconds after a failure of the network.
func TestFailedHostIsLeftAlone(t *testing.T) {
	t.Parallel()
	e := start(t, status(http.StatusBadGateway))
	e.mustFail(t, document, fetch.Unreachable)
	e.serve(says("hello"))
	problem := e.mustFail(t, document, fetch.Unreachable)
	assert.True(t, problem.MayPass())
	assert.EqualValues(t, 1, e.fetches.Load())
	e.mustGet(t, "https://client.example.com/other.json", "hello")
	e.advance(6 * time.Second)
	e.mustGet(t, document, "hello")
}

func TestConcurrentCallersShareOneFetch(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{}, 20)
	release := make(chan struct{})
	e := start(t, func(w http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		<-release
		says("hello")(w, r)
	})
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() { e.mustGet(t, document, "hello") })
	}
	<-asked
	close(release)
	group.Wait()
	assert.EqualValues(t, 1, e.fetches.Load())
}

// TestBudgetOfNetwork wants a bound of the fetches that one network causes, and none for documents
// that are known to be good.
func TestBudgetOfNetwork(t *testing.T) {
	t.Parallel()
	e := start(t, says("hello", "Cache-Control", "no-store"),
		func(config *fetch.Config[string]) { config.PerMinute = 3 })
	for range 5 {
		e.mustGet(t, document, "hello")
	}
	for i := range 2 {
		e.mustGet(t, fmt.Sprintf("https://client.example.com/%d", i), "hello")
	}
	problem := e.mustFail(t, "https://client.example.com/more", fetch.TooMany)
	assert.True(t, problem.MayPass())
	e.mustGet(t, document, "hello")
	_, err := e.Get(t.Context(), "https://client.example.com/more", "203.0.113.0/24")
	assert.NoError(t, err, "another network")
	e.advance(time.Minute)
	e.mustGet(t, "https://client.example.com/even-more", "hello")
}

// TestSlowSiteLeavesRoom wants a site's slow documents to leave room for other sites.
func TestSlowSiteLeavesRoom(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{}, 16)
	release := make(chan struct{})
	e := start(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/slow") {
			asked <- struct{}{}
			<-release
		}
		says("hello")(w, r)
	})
	var group sync.WaitGroup
	for i := range 16 {
		url := fmt.Sprintf("https://%c.example.com/slow%d", 'a'+i, i)
		group.Go(func() { e.mustGet(t, url, "hello") })
	}
	for range 16 {
		<-asked
	}
	e.mustFail(t, "https://z.example.com/client.json", fetch.TooMany)
	close(release)
	group.Wait()
	e.mustGet(t, "https://z.example.com/client.json", "hello")
}
