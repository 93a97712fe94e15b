package broker

import (
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"mcpentra/server/identity"
)

// A cookie carries a random secret whose hash is in the store, or an encrypted session. Its name
// carries the transaction, so that two sign-ins in one browser do not disturb each other.

// consentCookie names the cookie of a consent page, by the transaction's key.
func consentCookie(transaction string) string {
	return "mcp-consent-" + transaction[:min(16, len(transaction))]
}

// signInCookie names the cookie of a sign-in at Entra, by the transaction's key.
func signInCookie(transaction string) string {
	return "mcp-sign-in-" + transaction[:min(16, len(transaction))]
}

const sessionCookie = "mcp-session"

// cookieName adds the prefix __Host- over https. It keeps other hosts of the domain from setting
// the cookie. A browser does not accept the prefix on plain-http loopback.
func (b *Broker) cookieName(name string) string {
	if b.secure {
		return "__Host-" + name
	}
	return name
}

// cookiePath replaces a path by "/" if the prefix __Host- demands it.
func (b *Broker) cookiePath(path string) string {
	if b.secure {
		return "/"
	}
	return path
}

func (b *Broker) setCookie(w http.ResponseWriter, name, value, path string, lives time.Duration) {
	http.SetCookie(w, &http.Cookie{
		Name:     b.cookieName(name),
		Value:    value,
		Path:     b.cookiePath(path),
		MaxAge:   int(lives.Seconds()),
		HttpOnly: true,
		Secure:   b.secure,
		SameSite: http.SameSiteLaxMode,
	})
}

func (b *Broker) clearCookie(w http.ResponseWriter, name, path string) {
	http.SetCookie(w, &http.Cookie{
		Name:     b.cookieName(name),
		Path:     b.cookiePath(path),
		MaxAge:   -1,
		HttpOnly: true,
		Secure:   b.secure,
		SameSite: http.SameSiteLaxMode,
	})
}

// readCookie returns the value of a cookie, or "" without it.
func (b *Broker) readCookie(r *http.Request, name string) string {
	cookie, err := r.Cookie(b.cookieName(name))
	if err != nil {
		return ""
	}
	return cookie.Value
}

// sameSecret compares a secret with the hash in the store.
func sameSecret(hash, secret string) bool {
	return hash != "" && secret != "" && subtle.ConstantTimeCompare([]byte(hash), []byte(hashed(secret))) == 1
}

// maxCookies bounds the transactions of a kind that one browser can have open. Proxies refuse the
// header that more cookies would make.
const maxCookies = 10

// pruneCookies makes room for one more cookie of a prefix. It deletes the oldest ones, which
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

// A browserSession says who has signed in in this browser. It saves a consent page that this person
// has answered before, and shows the person their connections.
type browserSession struct {
	Principal identity.Principal `json:"principal"`
	Until     int64              `json:"until"`
}

// sessionPlace is the place for which a session is encrypted.
const sessionPlace = "cookie\x00" + sessionCookie

func (b *Broker) beginSession(w http.ResponseWriter, person identity.Principal) error {
	text, err := json.Marshal(browserSession{person, b.now().Add(sessionLifetime).Unix()})
	if err != nil {
		return err
	}
	sealed, err := b.config.Keys.seal(b.config.Rand, b.now(), text, sessionPlace)
	if err != nil {
		return err
	}
	b.setCookie(w, sessionCookie, base64.RawURLEncoding.EncodeToString(sealed), "/", sessionLifetime)
	return nil
}

// session returns the person who signed in last in this browser, or nil.
func (b *Broker) session(r *http.Request) *identity.Principal {
	sealed, err := base64.RawURLEncoding.DecodeString(b.readCookie(r, sessionCookie))
	if err != nil {
		return nil
	}
	text, err := b.config.Keys.open(sealed, sessionPlace)
	if err != nil {
		return nil
	}
	var session browserSession
	if json.Unmarshal(text, &session) != nil || b.now().Unix() >= session.Until {
		return nil
	}
	return &session.Principal
}
