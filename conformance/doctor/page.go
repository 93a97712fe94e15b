package doctor

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// nextPage says where a browser goes from an answer: along a redirect, a page that moves on by
// itself, or the button that approves. It returns nil if the visit ends here.
func nextPage(a *answer) (next *question, isForm bool) {
	if a.isRedirect() {
		if target := a.location(); target != nil {
			return &question{method: http.MethodGet, address: target.String(), browser: true}, false
		}
		return nil, false
	}
	if a.status != http.StatusOK || !a.isPage() || a.cut {
		return nil, false
	}
	root, err := html.Parse(strings.NewReader(string(a.body)))
	base, errBase := url.Parse(a.address)
	if err != nil || errBase != nil {
		return nil, false
	}
	if target := refreshTarget(root, base); target != nil {
		return &question{method: http.MethodGet, address: target.String(), browser: true}, false
	}
	next = approval(root, base)
	return next, next != nil
}

// refreshTarget returns the target of a meta refresh, or of a link to Entra ID.
func refreshTarget(root *html.Node, base *url.URL) *url.URL {
	for node := range root.Descendants() {
		if node.DataAtom == atom.Meta && strings.EqualFold(attribute(node, "http-equiv"), "refresh") {
			_, address, found := strings.Cut(attribute(node, "content"), "=")
			target, err := base.Parse(strings.Trim(strings.TrimSpace(address), `'"`))
			if found && err == nil {
				return target
			}
		}
		if node.DataAtom == atom.A {
			target, err := base.Parse(attribute(node, "href"))
			if err == nil && isEntraRequest(target) {
				return target
			}
		}
	}
	return nil
}

// approves matches the buttons that approve a client.
var approves = regexp.MustCompile(`(?i)^(approve|allow|accept|authorize|continue|yes|grant|confirm)`)

// approval returns the request of the button that approves, if the form stays at the page's origin
// and asks for no password.
func approval(root *html.Node, base *url.URL) *question {
	for form := range root.Descendants() {
		if form.DataAtom != atom.Form || !strings.EqualFold(attribute(form, "method"), "post") {
			continue
		}
		target, err := base.Parse(attribute(form, "action"))
		if err != nil || originOf(target) != originOf(base) {
			continue
		}
		if fields, found := approvingFields(form); found {
			return &question{
				method:  http.MethodPost,
				address: target.String(),
				header: http.Header{
					"Content-Type":   {"application/x-www-form-urlencoded"},
					"Origin":         {originOf(base)},
					"Referer":        {originOf(base) + "/"},
					"Sec-Fetch-Site": {"same-origin"},
				},
				body:    fields.Encode(),
				browser: true,
			}
		}
	}
	return nil
}

// approvingFields returns the fields that a form sends with its approving button. It finds none if
// the form wants a password.
func approvingFields(form *html.Node) (fields url.Values, found bool) {
	fields = url.Values{}
	for node := range form.Descendants() {
		kind := strings.ToLower(attribute(node, "type"))
		isButton := node.DataAtom == atom.Button || node.DataAtom == atom.Input && kind == "submit"
		switch {
		case kind == "password":
			return nil, false
		case isButton && !found && approves.MatchString(labelOf(node)):
			found = true
			if name := attribute(node, "name"); name != "" {
				fields.Set(name, attribute(node, "value"))
			}
		case node.DataAtom == atom.Input && kind == "hidden":
			fields.Add(attribute(node, "name"), attribute(node, "value"))
		}
	}
	return fields, found
}

// labelOf returns the text on a button.
func labelOf(node *html.Node) string {
	if node.DataAtom == atom.Input {
		return strings.TrimSpace(attribute(node, "value"))
	}
	return textOf(node)
}

// textOf returns the text that a person sees in a part of a page.
func textOf(part *html.Node) string {
	var words strings.Builder
	for node := range part.Descendants() {
		isHidden := node.Parent != nil && (node.Parent.DataAtom == atom.Script || node.Parent.DataAtom == atom.Style ||
			node.Parent.DataAtom == atom.Title)
		if node.Type == html.TextNode && !isHidden {
			words.WriteString(node.Data + " ")
		}
	}
	return strings.Join(strings.Fields(words.String()), " ")
}

// visibleText returns the text of an answer that a person sees.
func visibleText(a *answer) string {
	if !a.isPage() {
		return strings.Join(strings.Fields(string(a.body)), " ")
	}
	root, err := html.Parse(strings.NewReader(string(a.body)))
	if err != nil {
		return ""
	}
	return textOf(root)
}

func attribute(node *html.Node, name string) string {
	for _, attribute := range node.Attr {
		if attribute.Key == name {
			return attribute.Val
		}
	}
	return ""
}
