package doctor

import (
	"net/http"
	"net/url"
	"sync"
)

// mostCookies bounds the cookies of one host.
const mostCookies = 50

// A jar keeps cookies for each host and sends all of them back. Paths do not count, because the
// walk visits one sign-in.
type jar struct {
	mu    sync.Mutex
	hosts map[string][]*http.Cookie
}

// SetCookies keeps cookies, and replaces those with the same name.
func (j *jar) SetCookies(from *url.URL, cookies []*http.Cookie) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.hosts == nil {
		j.hosts = map[string][]*http.Cookie{}
	}
	for _, cookie := range cookies {
		kept := j.hosts[from.Host][:0:0]
		for _, old := range j.hosts[from.Host] {
			if old.Name != cookie.Name {
				kept = append(kept, old)
			}
		}
		if cookie.MaxAge >= 0 && len(kept) < mostCookies {
			kept = append(kept, cookie)
		}
		j.hosts[from.Host] = kept
	}
}

// Cookies returns the cookies of a host.
func (j *jar) Cookies(to *url.URL) []*http.Cookie {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.hosts[to.Host]
}
