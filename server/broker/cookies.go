package broker

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// Cookies carry random secrets whose hashes are in the store, or an encrypted session. Their names
// carry the transaction, so that two sign-ins in one browser do not get in each other's way. Over
// https they have the prefix __Host-, which keeps other hosts of the domain from setting them; on
// plain-http loopback a browser would not take it.
func consentCookie(transaction string) string {
	return "mcp-consent-" + transaction[:min(16, len(transaction))]
}
func signInCookie(transaction string) string {
	return "mcp-sign-in-" + transaction[:min(16, len(transaction))]
}

const sessionCookie = "mcp-session"

func (b *Broker) cookieName(name string) string {
	if b.secure {
		return "__Host-" + name
	}
	return name
}

func (b *Broker) setCookie(w http.ResponseWriter, name, value, path string, lives time.Duration, site http.SameSite) {
	if b.secure {
		path = "/" // which the prefix demands
	}
	http.SetCookie(w, &http.Cookie{
		Name:     b.cookieName(name),
		Value:    value,
		Path:     path,
		MaxAge:   int(lives.Seconds()),
		HttpOnly: true,
		Secure:   b.secure,
		SameSite: site,
	})
}

func (b *Broker) clearCookie(w http.ResponseWriter, name, path string) {
	if b.secure {
		path = "/"
	}
	http.SetCookie(
		w,
		&http.Cookie{
			Name:     b.cookieName(name),
			Path:     path,
			MaxAge:   -1,
			HttpOnly: true,
			Secure:   b.secure,
			SameSite: http.SameSiteLaxMode,
		},
	)
}

// maxCookies is how many transactions of a kind one browser can have open. More cookies would make
// a header that proxies refuse.
const maxCookies = 10

// pruneCookies makes room for one more of the cookies whose names begin so. The oldest go, which
// browsers send first (RFC 6265 section 5.4).
func (b *Broker) pruneCookies(w http.ResponseWriter, r *http.Request, prefix, path string) {
	var open []string
	for _, cookie := range r.Cookies() {
		if strings.HasPrefix(cookie.Name, b.cookieName(prefix)) {
			open = append(open, strings.TrimPrefix(cookie.Name, b.cookieName("")))
		}
	}
	for len(open) >= maxCookies {
		b.clearCookie(w, open[0], path)
		open = open[1:]
	}
}

// A browserSession says who has signed in in this browser. It only ever spares a consent page that
// this person has answered before.
type browserSession struct {
	Principal Principal `json:"principal"`
	Until     int64     `json:"until"`
}

const sessionPlace = "cookie\x00" + sessionCookie

func (b *Broker) beginSession(w http.ResponseWriter, principal Principal) error {
	text, err := json.Marshal(browserSession{principal, b.now().Add(sessionLifetime).Unix()})
	if err != nil {
		return err
	}
	sealed, err := b.config.Keys.seal(b.config.Rand, text, sessionPlace)
	if err != nil {
		return err
	}
	b.setCookie(
		w,
		sessionCookie,
		base64.RawURLEncoding.EncodeToString(sealed),
		"/authorize",
		sessionLifetime,
		http.SameSiteLaxMode,
	)
	return nil
}

// session is who signed in last in this browser, or nil.
func (b *Broker) session(r *http.Request) *Principal {
	cookie, err := r.Cookie(b.cookieName(sessionCookie))
	if err != nil {
		return nil
	}
	sealed, err := base64.RawURLEncoding.DecodeString(cookie.Value)
	if err != nil {
		return nil
	}
	text, err := b.config.Keys.open(sealed, sessionPlace)
	if err != nil {
		return nil
	}
	var held browserSession
	if json.Unmarshal(text, &held) != nil || b.now().Unix() >= held.Until {
		return nil
	}
	return &held.Principal
}
