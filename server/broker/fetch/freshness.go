package fetch

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Bounds of the time for which a document counts without another request.
const (
	// mostFresh is the bound for a document whose host names a longer time.
	mostFresh = 24 * time.Hour
	// usuallyFresh counts for a document whose host names no time.
	usuallyFresh = time.Minute
)

// A freshness says how long a document counts (RFC 9111 section 4.2).
type freshness struct {
	mayStore bool
	until    time.Time
	// mayBeStale allows the last good document for a while if its host cannot be reached.
	mayBeStale bool
}

// freshnessOf reads the header fields of a response to a request that was sent at a time. The
// broker serves many people, so it is a shared cache.
func freshnessOf(header http.Header, sent time.Time) freshness {
	control := directives(header)
	_, isSecret := control["no-store"]
	_, isPrivate := control["private"]
	if isSecret || isPrivate || variesByAll(header) {
		return freshness{}
	}
	_, mustAsk := control["no-cache"]
	_, mustRevalidate := control["must-revalidate"]
	_, proxyMust := control["proxy-revalidate"]
	_, hasShared := control["s-maxage"] // it implies proxy-revalidate (RFC 9111 section 5.2.2.10)
	found := freshness{mayStore: true, until: sent}
	found.mayBeStale = !mustAsk && !mustRevalidate && !proxyMust && !hasShared
	if !mustAsk {
		found.until = sent.Add(lifetime(header, control, sent))
	}
	return found
}

// lifetime returns how long a response counts from the time of its request on. A value that cannot
// be read counts as zero.
func lifetime(header http.Header, control map[string]string, sent time.Time) time.Duration {
	total := usuallyFresh
	if text, found := control["s-maxage"]; found {
		total = seconds(text)
	} else if text, found := control["max-age"]; found {
		total = seconds(text)
	} else if text := header.Get("Expires"); text != "" {
		total = 0
		if expires, err := http.ParseTime(text); err == nil {
			total = expires.Sub(dateOf(header, sent))
		}
	}
	age := time.Duration(0)
	if text := header.Get("Age"); text != "" {
		age = seconds(text)
		if age == 0 && strings.Trim(strings.TrimSpace(text), "0") != "" {
			age = mostFresh
		}
	}
	// The host's clock may be wrong. A date in the past makes the response older, and a date in the
	// future does not make it younger.
	apparent := sent.Sub(dateOf(header, sent))
	return min(max(total-max(age, apparent), 0), mostFresh)
}

func dateOf(header http.Header, sent time.Time) time.Time {
	date, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		return sent
	}
	return date
}

// seconds reads a number of seconds. Numbers above a day count as a day, and everything else as
// zero.
func seconds(text string) time.Duration {
	text = strings.TrimSpace(text)
	if text == "" || strings.Trim(text, "0123456789") != "" {
		return 0
	}
	number, err := strconv.ParseInt(text, 10, 64)
	most := int64(mostFresh / time.Second)
	if err != nil || number > most {
		number = most
	}
	return time.Duration(number) * time.Second
}

// directives reads Cache-Control. If a directive is there twice with different values, its value
// cannot be read.
func directives(header http.Header) map[string]string {
	found := map[string]string{}
	for _, line := range header.Values("Cache-Control") {
		for _, part := range strings.Split(line, ",") {
			name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
			name = strings.ToLower(strings.TrimSpace(name))
			value = strings.Trim(strings.TrimSpace(value), `"`)
			if earlier, isTwice := found[name]; isTwice && earlier != value {
				value = ""
			}
			found[name] = value
		}
	}
	return found
}

// variesByAll reports whether no later request matches (RFC 9111 section 4.1). Other values of Vary
// do not matter, because all requests have the same header fields.
func variesByAll(header http.Header) bool {
	for _, line := range header.Values("Vary") {
		if strings.Contains(line, "*") {
			return true
		}
	}
	return false
}
