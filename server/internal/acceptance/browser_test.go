package acceptance_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"
)

// A browser keeps the cookies of the broker, the oldest first.
type browser struct {
	w       *world
	cookies []*http.Cookie
	secrets []string // the values of all cookies and hidden fields
}

func (w *world) browser() *browser { return &browser{w: w} }

// send sends a request with the cookies, and keeps the cookies of the answer.
func (b *browser) send(replica int, method, target, body string, headers ...string) answer {
	var pairs []string
	for _, cookie := range b.cookies {
		pairs = append(pairs, cookie.Name+"="+cookie.Value)
	}
	headers = append(headers, "Cookie", strings.Join(pairs, "; "))
	got := b.w.send(replica, method, target, body, headers...)
	for _, cookie := range (&http.Response{Header: got.header}).Cookies() {
		isSame := func(kept *http.Cookie) bool { return kept.Name == cookie.Name }
		i := slices.IndexFunc(b.cookies, isSame)
		switch {
		case cookie.MaxAge < 0:
			b.cookies = slices.DeleteFunc(b.cookies, isSame)
			continue
		case i < 0:
			b.cookies = append(b.cookies, cookie)
		default:
			b.cookies[i] = cookie
		}
		b.secrets = append(b.secrets, cookie.Value)
	}
	for name, values := range formOf(got.body) {
		if name == "transaction" || name == "csrf" {
			b.secrets = append(b.secrets, values...)
		}
	}
	return got
}

// isFull reports whether one more page could push out the cookie of another.
func (b *browser) isFull() bool {
	pages := 0
	for _, cookie := range b.cookies {
		if strings.Contains(cookie.Name, "-consent-") {
			pages++
		}
	}
	return pages >= maxPages
}

// open loads a page, as if the person had typed its address.
func (b *browser) open(replica int, target string) answer {
	return b.send(replica, http.MethodGet, target, "", "Sec-Fetch-Site", "none")
}

// submit sends a form of one of the broker's pages.
func (b *browser) submit(replica int, target string, form url.Values) answer {
	return b.send(replica, http.MethodPost, target, form.Encode(),
		"Content-Type", "application/x-www-form-urlencoded",
		"Origin", issuer, "Sec-Fetch-Site", "same-origin")
}

var (
	hiddenInput = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]+)">`)
	link        = regexp.MustCompile(`href="([^"]+)"`)
)

// formOf returns the hidden fields of a page.
func formOf(page string) url.Values {
	form := url.Values{}
	for _, input := range hiddenInput.FindAllStringSubmatch(page, -1) {
		form.Set(input[1], input[2])
	}
	return form
}

// onward returns the address to which an answer sends the browser: in its header or in a link. It
// returns "" without one.
func onward(a answer) string {
	if to := a.header.Get("Location"); to != "" {
		return to
	}
	found := link.FindStringSubmatch(a.body)
	if found == nil {
		return ""
	}
	return html.UnescapeString(found[1])
}

// decide presses a button of a consent page.
func (b *browser) decide(replica int, page, button string) answer {
	form := formOf(page)
	form.Set("answer", button)
	return b.submit(replica, "/authorize/consent", form)
}

// isConsent reports whether an answer is a consent page.
func isConsent(a answer) bool {
	return a.status == http.StatusOK && strings.Contains(a.body, `name="csrf"`)
}

// shown returns the scopes that a page names.
func shown(page string) (names []string) {
	for _, scope := range scopes {
		if strings.Contains(page, "<li>"+scope.Description+"</li>") {
			names = append(names, scope.Name)
		}
	}
	return names
}

// verifier is the PKCE verifier of a program.
const verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

// authorization returns the target of an authorization request.
func authorization(clientID, redirect, scope string) string {
	return "/authorize?" + url.Values{
		"response_type":         {"code"},
		"client_id":             {clientID},
		"redirect_uri":          {redirect},
		"state":                 {"state-of-the-program"},
		"code_challenge":        {challenge(verifier)},
		"code_challenge_method": {"S256"},
		"scope":                 {scope},
		"resource":              {resource},
	}.Encode()
}

// codeFor signs a person in, approves everything, and returns the code for the program.
func (b *browser) codeFor(clientID, redirect, scope string, person int) string {
	t := b.w.t
	page := b.open(0, authorization(clientID, redirect, scope))
	for range 4 {
		if isConsent(page) {
			page = b.decide(0, page.body, "approve")
		}
		to := onward(page)
		require.NotEmpty(t, to, page.body)
		if !strings.HasPrefix(to, "https://login.microsoftonline.com/") {
			u, err := url.Parse(to)
			require.NoError(t, err)
			require.NotEmpty(t, u.Query().Get("code"), to)
			return u.Query().Get("code")
		}
		back, err := b.w.entra.signIn(to, person)
		require.NoError(t, err)
		page = b.open(0, "/auth/callback?"+back.Encode())
	}
	t.Errorf("the sign-in does not end: %s", page.body)
	t.FailNow()
	return ""
}

// redemption returns the form that redeems a code.
func redemption(clientID, redirect, code string) url.Values {
	return url.Values{
		"grant_type":    {"authorization_code"},
		"client_id":     {clientID},
		"code":          {code},
		"redirect_uri":  {redirect},
		"code_verifier": {verifier},
	}
}

// refreshing returns the form that redeems a refresh token.
func refreshing(clientID, refresh string) url.Values {
	return url.Values{"grant_type": {"refresh_token"}, "client_id": {clientID}, "refresh_token": {refresh}}
}

// token sends a form to the token endpoint.
func (w *world) token(replica int, form url.Values, headers ...string) told {
	return w.read(w.post(replica, "/token", form, headers...))
}
