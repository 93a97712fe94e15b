package useragent

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// A document is a parsed page.
type document struct {
	title   string
	text    string
	refresh string // address of a meta refresh
	forms   []form
	links   []link
	id      string // the PageID of Entra ID's pages
	alert   string // text of the element with role="alert"
}

// errorPageID is the PageID of Entra ID's error pages.
const errorPageID = "ConvergedError"

var aadsts = regexp.MustCompile(`\bAADSTS(\d{1,9})\b`)

// entraError returns the error on a page of Entra ID. It is an error page, or a sign-in page that
// refused the input. The scripted person would only type the same again.
func (d document) entraError() (message string, found bool) {
	switch {
	case aadsts.MatchString(d.alert):
		return d.alert, true
	case d.id != errorPageID:
		return "", false
	case aadsts.MatchString(d.text):
		return d.text[aadsts.FindStringIndex(d.text)[0]:], true
	}
	return d.text, true
}

// aadstsNumber returns the first AADSTS number in a text, or 0.
func aadstsNumber(text string) int {
	found := aadsts.FindStringSubmatch(text)
	if found == nil {
		return 0
	}
	number, err := strconv.Atoi(found[1])
	if err != nil {
		return 0
	}
	return number
}

// A form is a form of a page.
type form struct {
	id      string
	method  string
	action  string
	fields  []field
	buttons []button
	self    bool // a script submits it (form_post)
}

type field struct {
	name  string
	value string
	kind  string
}

type button struct {
	name  string
	value string
	text  string
}

type link struct {
	address string
	text    string
}

// readPage parses a page. The content of noscript counts, because this browser runs no scripts.
func readPage(text string) document {
	root, err := html.ParseWithOptions(strings.NewReader(text), html.ParseOptionEnableScripting(false))
	if err != nil {
		return document{}
	}
	p := &pageReader{outside: map[string][]*html.Node{}}
	p.walk(root, nil)
	for i := range p.page.forms {
		for _, node := range p.outside[p.page.forms[i].id] {
			p.page.forms[i].add(node)
		}
	}
	if p.submits && len(p.page.forms) > 0 {
		p.page.forms[0].self = true
	}
	p.page.text = cut(strings.TrimSpace(p.words.String()))
	return p.page
}

// A pageReader collects the parts of a page.
type pageReader struct {
	page    document
	words   strings.Builder
	submits bool                    // a script submits a form
	outside map[string][]*html.Node // buttons and fields outside of forms, by the ID of their form
}

// walk reads a node and its children. Inside is the form around them, or nil.
func (p *pageReader) walk(node *html.Node, inside *form) {
	if word := strings.TrimSpace(node.Data); node.Type == html.TextNode && word != "" && p.words.Len() < 2*maxText {
		p.words.WriteString(word + " ")
	}
	if node.Type != html.ElementNode {
		p.walkChildren(node, inside)
		return
	}
	if p.page.alert == "" && attribute(node, "role") == "alert" {
		p.page.alert = cut(content(node))
	}
	switch node.DataAtom {
	case atom.Title:
		p.page.title = strings.TrimSpace(content(node))
		return
	case atom.Script:
		p.submits = p.submits || strings.Contains(content(node), ".submit()")
		return
	case atom.Style:
		return
	case atom.Form:
		found := &form{
			id:     attribute(node, "id"),
			method: strings.ToUpper(attribute(node, "method")),
			action: attribute(node, "action"),
		}
		p.walkChildren(node, found)
		p.page.forms = append(p.page.forms, *found)
		return
	case atom.Meta:
		p.readMeta(node)
	case atom.A:
		if address := attribute(node, "href"); address != "" {
			p.page.links = append(p.page.links, link{address, content(node)})
		}
	case atom.Input, atom.Button:
		p.readControl(node, inside)
	}
	p.walkChildren(node, inside)
}

// readControl reads a button or a field. Its form is the one around it, or the one that it names.
func (p *pageReader) readControl(node *html.Node, inside *form) {
	switch id := attribute(node, "form"); {
	case id != "" && (inside == nil || id != inside.id):
		p.outside[id] = append(p.outside[id], node)
	case inside != nil:
		inside.add(node)
	}
}

func (p *pageReader) walkChildren(node *html.Node, inside *form) {
	for child := node.FirstChild; child != nil; child = child.NextSibling {
		p.walk(child, inside)
	}
}

// readMeta reads the PageID and a meta refresh.
func (p *pageReader) readMeta(node *html.Node) {
	if attribute(node, "name") == "PageID" {
		p.page.id = attribute(node, "content")
	}
	if !strings.EqualFold(attribute(node, "http-equiv"), "refresh") {
		return
	}
	_, address, _ := strings.Cut(attribute(node, "content"), ";")
	address = strings.TrimSpace(address)
	if len(address) > 4 && strings.EqualFold(address[:4], "url=") {
		p.page.refresh = strings.Trim(address[4:], `'" `)
	}
}

// cut bounds a text of a page.
func cut(text string) string { return text[:min(len(text), maxText)] }

func (f *form) add(node *html.Node) {
	kind := strings.ToLower(attribute(node, "type"))
	name := attribute(node, "name")
	value := attribute(node, "value")
	switch {
	case node.DataAtom == atom.Button && (kind == "" || kind == "submit"), kind == "submit":
		label := content(node)
		if node.DataAtom == atom.Input {
			label = value
		}
		f.buttons = append(f.buttons, button{name, value, strings.TrimSpace(label)})
	case node.DataAtom == atom.Button, kind == "button", kind == "reset", kind == "image":
	case (kind == "checkbox" || kind == "radio") && !has(node, "checked"):
	default:
		f.fields = append(f.fields, field{name, value, kind})
	}
}

// decide returns the person's next step on a page, or nil if there is none.
func (b *Browser) decide(page document) *step {
	if page.refresh != "" {
		return &step{method: http.MethodGet, address: page.refresh}
	}
	if len(page.forms) == 0 {
		return nil
	}
	if page.forms[0].self {
		return page.forms[0].send(button{}, "", nil)
	}
	if b.Deny {
		if decline := b.press(page.forms, button.declines); decline != nil {
			return decline
		}
		if i := slices.IndexFunc(page.links, link.declines); i >= 0 {
			return &step{method: http.MethodGet, address: page.links[i].address, declines: true}
		}
	}
	if chosen, offered := b.account(page.forms); offered {
		return chosen
	}
	return b.press(page.forms, func(candidate button) bool { return !candidate.declines() })
}

// press sends a form with its first button that is wanted. It returns nil if no form has one.
func (b *Browser) press(forms []form, wanted func(button) bool) *step {
	for _, form := range forms {
		if i := slices.IndexFunc(form.buttons, wanted); i >= 0 {
			return form.send(form.buttons[i], b.Password, b.Fields)
		}
	}
	return nil
}

// account picks an account on a page whose buttons are accounts. It types an account that the page
// does not offer, if there is a field for it.
func (b *Browser) account(forms []form) (*step, bool) {
	isAccount := func(candidate button) bool { return candidate.name == "account" }
	if b.press(forms, isAccount) == nil {
		return nil, false
	}
	chosen := b.press(forms, func(candidate button) bool {
		return isAccount(candidate) && (b.User == "" || strings.EqualFold(b.User, candidate.value))
	})
	if chosen != nil {
		return chosen, true
	}
	for _, form := range forms {
		for i, field := range form.fields {
			if field.name == "account" {
				form.fields[i].value = b.User
				return form.send(button{}, b.Password, b.Fields), true
			}
		}
	}
	return nil, true
}

// declining are the words of buttons and links that decline.
var declining = []string{"deny", "cancel", "decline", "reject", "abort", "disallow", "refuse"}

// declines reports whether a button declines.
func (b button) declines() bool {
	isWord := func(word string) bool { return strings.EqualFold(b.value, word) || strings.EqualFold(b.name, word) }
	return slices.ContainsFunc(declining, isWord) || declines(b.text)
}

// declines reports whether a link declines.
func (l link) declines() bool { return declines(l.text) }

// declines reports whether a text begins with a word that declines. Some pages put it in brackets.
func declines(text string) bool {
	text = strings.ToLower(strings.TrimLeftFunc(text, isNoLetter))
	return slices.ContainsFunc(declining, func(word string) bool { return strings.HasPrefix(text, word) })
}

func isNoLetter(r rune) bool { return !unicode.IsLetter(r) }

func (f form) send(press button, password string, typed map[string]string) *step {
	values := url.Values{}
	for _, field := range f.fields {
		if field.name == "" {
			continue
		}
		if field.kind == "password" {
			field.value = password
		}
		if value, found := typed[field.name]; found && field.kind != "hidden" {
			field.value = value
		}
		values.Add(field.name, field.value)
	}
	if press.name != "" {
		values.Add(press.name, press.value)
	}
	if f.method == http.MethodPost {
		return &step{method: http.MethodPost, address: f.action, form: values, declines: press.declines()}
	}
	address, _, _ := strings.Cut(f.action, "?")
	return &step{method: http.MethodGet, address: address + "?" + values.Encode(), declines: press.declines()}
}

func attribute(node *html.Node, name string) string {
	for _, attribute := range node.Attr {
		if attribute.Key == name {
			return attribute.Val
		}
	}
	return ""
}

func has(node *html.Node, name string) bool {
	return slices.ContainsFunc(node.Attr, func(attribute html.Attribute) bool { return attribute.Key == name })
}

func content(node *html.Node) string {
	var text strings.Builder
	for child := node.FirstChild; child != nil; child = child.NextSibling {
		if child.Type == html.TextNode {
			text.WriteString(child.Data)
		}
		text.WriteString(content(child))
	}
	return strings.TrimSpace(text.String())
}
