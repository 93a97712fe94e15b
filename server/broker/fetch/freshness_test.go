package fetch_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"mcpentra/server/broker/fetch"
)

// TestFreshness has the header fields of RFC 9111, and for how long a document with them counts.
func TestFreshness(t *testing.T) {
	t.Parallel()
	date := func(offset time.Duration) string {
		return time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC).Add(offset).Format(http.TimeFormat)
	}
	early := date(-5 * time.Minute)
	late := date(10 * time.Minute)
	for name, tried := range map[string]struct {
		header []string
		fresh  time.Duration // zero means that the host is asked each time
	}{
		"nothing":               {nil, time.Minute},
		"max-age":               {[]string{"Cache-Control", "max-age=600"}, 10 * time.Minute},
		"a quoted max-age":      {[]string{"Cache-Control", `public, MAX-AGE="600"`}, 10 * time.Minute},
		"s-maxage":              {[]string{"Cache-Control", "max-age=60, s-maxage=600"}, 10 * time.Minute},
		"ten years":             {[]string{"Cache-Control", "max-age=315360000"}, 24 * time.Hour},
		"a large number":        {[]string{"Cache-Control", "max-age=99999999999999999999"}, 24 * time.Hour},
		"Age":                   {[]string{"Cache-Control", "max-age=600", "Age", "300"}, 5 * time.Minute},
		"an Age without number": {[]string{"Cache-Control", "max-age=600", "Age", "old"}, 0},
		"Expires":               {[]string{"Expires", date(10 * time.Minute)}, 10 * time.Minute},
		"an earlier Date":       {[]string{"Cache-Control", "max-age=600", "Date", early}, 5 * time.Minute},
		"a later Date":          {[]string{"Expires", date(20 * time.Minute), "Date", late}, 10 * time.Minute},
		"Expires in the past":   {[]string{"Expires", date(-time.Minute)}, 0},
		"Expires zero":          {[]string{"Expires", "0"}, 0},
		"max-age=0":             {[]string{"Cache-Control", "max-age=0"}, 0},
		"a negative max-age":    {[]string{"Cache-Control", "max-age=-5"}, 0},
		"two values of max-age": {[]string{"Cache-Control", "max-age=600, max-age=60"}, 0},
		"no-store":              {[]string{"Cache-Control", "no-store, max-age=600"}, 0},
		"private":               {[]string{"Cache-Control", "private, max-age=600"}, 0},
		"no-cache":              {[]string{"Cache-Control", "no-cache, max-age=600"}, 0},
		"Vary: *":               {[]string{"Cache-Control", "max-age=600", "Vary", "*"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := start(t, says("hello", tried.header...))
			e.mustGet(t, document, "hello")
			want := int64(1)
			if tried.fresh > 0 {
				e.advance(tried.fresh - time.Second)
				e.mustGet(t, document, "hello")
				assert.EqualValues(t, 1, e.fetches.Load(), "while it is fresh")
				e.advance(time.Second)
			}
			e.mustGet(t, document, "hello")
			assert.EqualValues(t, want+1, e.fetches.Load(), "afterwards")
		})
	}
}

func TestRevalidation(t *testing.T) {
	t.Parallel()
	for field, condition := range map[string]string{"ETag": "If-None-Match", "Last-Modified": "If-Modified-Since"} {
		t.Run(field, func(t *testing.T) {
			t.Parallel()
			const value = "Wed, 01 Jul 2026 11:00:00 GMT"
			e := start(t, says("hello", field, value, "Cache-Control", "max-age=60"))
			e.mustGet(t, document, "hello")
			e.advance(2 * time.Minute)
			confirm := func(w http.ResponseWriter, r *http.Request) {
				if assert.Equal(t, value, r.Header.Get(condition)) {
					w.WriteHeader(http.StatusNotModified)
				}
			}
			e.serve(confirm)
			e.mustGet(t, document, "hello")
			e.advance(59 * time.Second)
			e.mustGet(t, document, "hello")
			assert.EqualValues(t, 2, e.fetches.Load())
			e.advance(2 * time.Second)
			e.mustGet(t, document, "hello")
			e.advance(2 * time.Minute)
			e.serve(says("changed"))
			e.mustGet(t, document, "changed")
		})
	}
}

// TestLastDocument wants the last good document for a day if its host cannot be reached, unless the
// host wants to be asked each time.
func TestLastDocument(t *testing.T) {
	t.Parallel()
	e := start(t, says("hello", "Cache-Control", "max-age=60"))
	e.mustGet(t, document, "hello")
	e.advance(time.Hour)
	e.serve(status(http.StatusBadGateway))
	e.mustFail(t, document, fetch.Unreachable)
	last, found := e.Last(document)
	assert.True(t, found)
	assert.Equal(t, "hello", last)
	e.advance(24 * time.Hour)
	_, found = e.Last(document)
	assert.False(t, found, "after a day")

	for _, control := range []string{"no-store", "no-cache", "private", "max-age=60, must-revalidate", "s-maxage=60"} {
		e := start(t, says("hello", "Cache-Control", control))
		e.mustGet(t, document, "hello")
		e.advance(2 * time.Minute)
		_, found := e.Last(document)
		assert.False(t, found, control)
	}
}

// TestWithdrawnDocumentIsForgotten wants nothing of a document after its host has said that it is
// gone, or has replaced it with an unusable one.
func TestWithdrawnDocumentIsForgotten(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]http.HandlerFunc{"404": status(http.StatusNotFound), "invalid": says("")} {
		e := start(t, says("hello", "Cache-Control", "max-age=60"))
		e.mustGet(t, document, "hello")
		e.advance(time.Hour)
		e.serve(handler)
		_, err := e.get(t, document)
		assert.Error(t, err)
		_, found := e.Last(document)
		assert.False(t, found, name)
	}
}
