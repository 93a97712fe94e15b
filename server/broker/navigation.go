package broker

import (
	"net/http"
	"strings"
)

// navigated passes on the requests by which a person goes to a page. Others must not use up a
// sign-in, nor begin one: link scanners send HEAD, browsers load pages ahead of time, and pages of
// other sites load images and frames.
func (b *Broker) navigated(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodHead:
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.Header().Set("Cache-Control", "no-store")
			w.Header().Set("Referrer-Policy", "no-referrer")
		case aheadOfTime(r):
			// A browser throws an error away, and loads the page again when the person goes there.
			b.showProblem(w, r, http.StatusServiceUnavailable, "This page cannot be loaded ahead of time.",
				sight{"purpose", r.Header.Get("Sec-Purpose")})
		case loadedByPage(r), !isDocument(r):
			b.showProblem(w, r, http.StatusForbidden, "A page of another site loaded this address. "+
				"A sign-in has to be opened as a page of its own.", sight{"site", r.Header.Get("Sec-Fetch-Site")},
				sight{"mode", r.Header.Get("Sec-Fetch-Mode")}, sight{"destination", r.Header.Get("Sec-Fetch-Dest")})
		default:
			next(w, r)
		}
	}
}

// isDocument reports whether a browser would show the answer as a page of its own (Fetch Metadata).
// Programs and older browsers say nothing, and are believed.
func isDocument(r *http.Request) bool {
	destination := r.Header.Get("Sec-Fetch-Dest")
	return destination == "" || destination == "document"
}

// aheadOfTime reports whether a browser loads a page before its person has decided to go there:
// Sec-Purpose of Chromium, Safari and Firefox, and what older versions send.
func aheadOfTime(r *http.Request) bool {
	for _, name := range []string{"Sec-Purpose", "Purpose", "X-Purpose", "X-Moz"} {
		purpose := strings.ToLower(strings.Join(r.Header.Values(name), ","))
		for _, word := range []string{"prefetch", "prerender", "preview"} {
			if strings.Contains(purpose, word) {
				return true
			}
		}
	}
	return false
}
