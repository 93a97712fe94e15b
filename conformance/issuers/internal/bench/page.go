package bench

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// IsPage reports whether an exchange shows an HTML page.
func (e *Exchange) IsPage() bool {
	return strings.HasPrefix(e.Header.Get("Content-Type"), "text/html") && e.Status/100 != 3
}

// HasForm reports whether an exchange shows a page with a form for a person.
func (e *Exchange) HasForm() bool {
	return e.IsPage() && len(e.elements(atom.Form)) > 0 && len(e.elements(atom.Button, atom.Input)) > 0
}

// Passwords returns the names of the password fields of a page.
func (e *Exchange) Passwords() []string {
	var names []string
	for _, input := range e.elements(atom.Input) {
		if strings.EqualFold(attribute(input, "type"), "password") {
			names = append(names, attribute(input, "name"))
		}
	}
	return names
}

// TextFields returns the names of the fields of a page into which a person types a text.
func (e *Exchange) TextFields() []string {
	var names []string
	for _, input := range e.elements(atom.Input) {
		kind := strings.ToLower(attribute(input, "type"))
		if slices.Contains([]string{"", "text", "search", "tel", "number"}, kind) {
			names = append(names, attribute(input, "name"))
		}
	}
	return names
}

// Text returns the text that a person sees on a page, with single blanks.
func (e *Exchange) Text() string {
	var text strings.Builder
	e.walk(func(node *html.Node) {
		isHidden := node.Parent != nil && (node.Parent.DataAtom == atom.Script || node.Parent.DataAtom == atom.Style)
		if node.Type == html.TextNode && !isHidden {
			text.WriteString(node.Data + " ")
		}
	})
	return strings.Join(strings.Fields(text.String()), " ")
}

// elements returns the elements of a page with one of the names.
func (e *Exchange) elements(names ...atom.Atom) []*html.Node {
	var found []*html.Node
	e.walk(func(node *html.Node) {
		if node.Type == html.ElementNode && slices.Contains(names, node.DataAtom) {
			found = append(found, node)
		}
	})
	return found
}

// HasElement reports whether a page has an element with a name that HTML does not define.
func (e *Exchange) HasElement(name string) bool {
	found := false
	e.walk(func(node *html.Node) { found = found || node.Type == html.ElementNode && node.Data == name })
	return found
}

// walk calls visit for each node of a page.
func (e *Exchange) walk(visit func(*html.Node)) {
	root, err := html.Parse(strings.NewReader(string(e.Body)))
	if err != nil {
		return
	}
	for node := range root.Descendants() {
		visit(node)
	}
}

func attribute(node *html.Node, name string) string {
	for _, attribute := range node.Attr {
		if attribute.Key == name {
			return attribute.Val
		}
	}
	return ""
}

// HasActed reports whether the person has sent a form, or at least seen one, in the last visit.
func (b *Browser) HasActed() bool {
	return slices.ContainsFunc(b.Exchanges(), func(exchange Exchange) bool {
		return exchange.Form != nil || exchange.HasForm()
	})
}

// Consent returns the POST of the last visit that approves the client: the last one to the
// authorization server itself. If there is none, it is the last one of all. It returns nil if the
// person has posted nothing, or has typed a password into the same form.
func (b *Browser) Consent(endpoint string) *Exchange {
	exchanges := b.Exchanges()
	isOwn := func(exchange Exchange) bool {
		return exchange.Form != nil && originOf(exchange.Request.URL.String()) == originOf(endpoint)
	}
	isPost := func(exchange Exchange) bool { return exchange.Form != nil }
	for _, fits := range []func(Exchange) bool{isOwn, isPost} {
		for i, exchange := range slices.Backward(exchanges) {
			if !fits(exchange) {
				continue
			}
			if i > 0 && len(exchanges[i-1].Passwords()) > 0 {
				return nil
			}
			return &exchange
		}
	}
	return nil
}

// IsSameForm reports whether a request sends the form of an exchange again, with any values. A part
// of its path may be the ID of a transaction, which is another one each time.
func (e *Exchange) IsSameForm(request *http.Request, form url.Values) bool {
	if request.Method != e.Request.Method || request.URL.Host != e.Request.URL.Host || len(form) != len(e.Form) {
		return false
	}
	for name := range e.Form {
		if !form.Has(name) {
			return false
		}
	}
	before := strings.Split(e.Request.URL.Path, "/")
	return slices.EqualFunc(before, strings.Split(request.URL.Path, "/"), func(a, b string) bool {
		return a == b || len(a) >= MinToken && len(b) >= MinToken
	})
}

// MinToken is the length of the shortest value that can be a token against forgery, or the ID of a
// transaction.
const MinToken = 12

// CrossSiteCookies removes the cookies of a request that a browser does not send with a form of
// another site, as the exchanges have set them. A top-level GET carries cookies that are Lax.
func CrossSiteCookies(request *http.Request, exchanges []Exchange) {
	var unsent []string
	for _, exchange := range exchanges {
		for _, cookie := range (&http.Response{Header: exchange.Header}).Cookies() {
			isLax := cookie.SameSite == http.SameSiteLaxMode && request.Method != http.MethodGet
			isStrict := cookie.SameSite == http.SameSiteStrictMode
			if isLax || isStrict || !isUnder(request.URL.Path, cookiePath(cookie, exchange.Request)) {
				unsent = append(unsent, cookie.Name)
			}
		}
	}
	cookies := request.Cookies()
	request.Header.Del("Cookie")
	for _, cookie := range cookies {
		if !slices.Contains(unsent, cookie.Name) {
			request.AddCookie(cookie)
		}
	}
}

// cookiePath returns the path of a cookie that the answer to a request sets (RFC 6265 section
// 5.1.4).
func cookiePath(cookie *http.Cookie, request *http.Request) string {
	if strings.HasPrefix(cookie.Path, "/") {
		return cookie.Path
	}
	return "/" + strings.TrimPrefix(request.URL.Path[:strings.LastIndexByte(request.URL.Path, '/')+1], "/")
}

// isUnder reports whether a browser sends a cookie of one path to another (RFC 6265 section 5.1.4).
func isUnder(path, cookiePath string) bool {
	rest, found := strings.CutPrefix(path, strings.TrimSuffix(cookiePath, "/"))
	return found && (rest == "" || rest[0] == '/')
}

// RenewCookies updates the cookies of a request with those that later exchanges have set for its
// host.
func RenewCookies(request *http.Request, exchanges []Exchange) {
	values := map[string]string{}
	var names []string
	set := func(cookie *http.Cookie) {
		if _, found := values[cookie.Name]; !found {
			names = append(names, cookie.Name)
		}
		values[cookie.Name] = cookie.Value
	}
	for _, cookie := range request.Cookies() {
		set(cookie)
	}
	for _, exchange := range exchanges {
		for _, cookie := range (&http.Response{Header: exchange.Header}).Cookies() {
			isHost := exchange.Request.URL.Host == request.URL.Host
			isSent := isHost && isUnder(request.URL.Path, cookiePath(cookie, exchange.Request))
			if isSent && cookie.MaxAge >= 0 {
				set(cookie)
			}
		}
	}
	request.Header.Del("Cookie")
	for _, name := range names {
		request.AddCookie(&http.Cookie{Name: name, Value: values[name]})
	}
}

// SetLink turns a form into a link with values in its query.
func SetLink(request *http.Request, values url.Values) {
	request.Method = http.MethodGet
	request.URL.RawQuery = values.Encode()
	request.Body = nil
	request.GetBody = nil
	request.ContentLength = 0
	request.Header.Del("Content-Type")
	request.Header.Del("Origin")
}

// SetPath sends a request to the path and the query of another address on its host.
func SetPath(request *http.Request, address *url.URL) {
	target := *request.URL
	target.Path = address.Path
	target.RawPath = address.RawPath
	target.RawQuery = address.RawQuery
	request.URL = &target
}

// SetForm replaces the form of a POST.
func SetForm(request *http.Request, form url.Values) {
	text := form.Encode()
	request.Body = newBody(text)
	request.GetBody = nil
	request.ContentLength = int64(len(text))
}
