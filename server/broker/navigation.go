package broker

import (
	"net/http"
	"strings"
)

// navigated passes on the requests by which a person goes to a page. No other request may begin or
// use up a sign-in: link scanners send HEAD, browsers load pages ahead of time, and other sites'
// pages load images and frames.
func (b *Broker) navigated(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodHead:
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.Header().Set("Cache-Control", "no-store")
			w.Header().Set("Referrer-Policy", "no-referrer")
		case aheadOfTime(r):
			// A browser drops an error, and loads the page again when the person goes there.
			b.showProblem(w, r, http.StatusServiceUnavailable, "This page cannot be loaded ahead of time.",
				sight{"purpose", r.Header.Get("Sec-Purpose")})
		case loadedByPage(r), !isDocument(r):
			b.showProblem(w, r, http.StatusForbidden, "A page of another site loaded this address. "+
				"A sign-in has to be opened as a page of its own.",
				sight{"site", r.Header.Get("Sec-Fetch-Site")},
				sight{"mode", r.Header.Get("Sec-Fetch-Mode")},
				sight{"destination", r.Header.Get("Sec-Fetch-Dest")})
		default:
			next(w, r)
		}
	}
}

// navigatedHere reports whether a person came here on their own or from this origin's pages.
// Another site's link or redirect could make use of an earlier consent. A browser that does not say
// so does not count.
func navigatedHere(r *http.Request) bool {
	site := r.Header.Get("Sec-Fetch-Site")
	return site == "none" || site == "same-origin"
}

// fromOtherSite reports whether a browser says that a page of another site sent a request (Fetch
// Metadata). Programs send no Fetch Metadata.
func fromOtherSite(r *http.Request) bool {
	site := r.Header.Get("Sec-Fetch-Site")
	return site == "cross-site" || site == "same-site"
}

// sentBlindly reports whether a page of another site sends a form that it cannot read the answer
// to: a no-cors request, or a form that navigates. No client does so, and it would count against
// the person's own network.
func sentBlindly(r *http.Request) bool {
	mode := r.Header.Get("Sec-Fetch-Mode")
	return r.Method == http.MethodPost && fromOtherSite(r) && (mode == "no-cors" || mode == "navigate")
}

// loadedByPage reports whether a page of another site loads an address, as an image, as a frame or
// by a script.
func loadedByPage(r *http.Request) bool {
	mode := r.Header.Get("Sec-Fetch-Mode")
	return fromOtherSite(r) && (mode != "" && mode != "navigate" || !isDocument(r))
}

// isDocument reports whether a browser would show the answer as a page of its own (Fetch Metadata).
// Requests of programs and older browsers do not say, and count as documents.
func isDocument(r *http.Request) bool {
	destination := r.Header.Get("Sec-Fetch-Dest")
	return destination == "" || destination == "document"
}

// aheadOfTime reports whether a browser loads a page before its person goes there. Chromium, Safari
// and Firefox send Sec-Purpose. Older versions send the other headers.
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
