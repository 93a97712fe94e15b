package useragent

import (
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// A document is what the browser makes of a page.
type document struct {
	title   string
	text    string
	refresh string // where a meta refresh leads
	forms   []form
	id      string // the PageID that Entra's pages have
	alert   string // what the page says that went wrong (role="alert")
}

// errorPageID is the PageID of Entra's error pages.
const errorPageID = "ConvergedError"

var aadsts = regexp.MustCompile(`\bAADSTS(\d{1,9})\b`)

// entraError is the error that a page of Entra ID shows: on an error page, or on a sign-in page
// that has refused what was typed. The scripted person would only type the same again.
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

// aadstsNumber is the first AADSTS number of a text, or 0.
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

// A form is one of a page with what would be sent.
type form struct {
	method, action string
	fields         []field
	buttons        []button
	self           bool // a script sends it (form_post)
}

type field struct{ name, value, kind string }

type button struct{ name, value, text string }

// readPage parses a page. What is inside noscript counts as content, since this browser runs no
// script.
func readPage(text string) document {
	root, err := html.ParseWithOptions(strings.NewReader(text), html.ParseOptionEnableScripting(false))
	if err != nil {
		return document{}
	}
	var page document
	var words strings.Builder
	sends := false
	var walk func(node *html.Node, inside *form)
	walk = func(node *html.Node, inside *form) {
		if node.Type == html.TextNode && words.Len() < 4000 {
			if word := strings.TrimSpace(node.Data); word != "" {
				words.WriteString(word + " ")
			}
		}
		if node.Type == html.ElementNode {
			if page.alert == "" && attribute(node, "role") == "alert" {
				page.alert = content(node)
				page.alert = page.alert[:min(len(page.alert), maxText)]
			}
			switch node.DataAtom {
			case atom.Title:
				page.title = strings.TrimSpace(content(node))
				return
			case atom.Script:
				sends = sends || strings.Contains(content(node), ".submit()")
				return
			case atom.Style:
				return
			case atom.Meta:
				if attribute(node, "name") == "PageID" {
					page.id = attribute(node, "content")
				}
				if strings.EqualFold(attribute(node, "http-equiv"), "refresh") {
					if _, address, found := strings.Cut(attribute(node, "content"), ";"); found {
						address = strings.TrimSpace(address)
						if len(address) > 4 && strings.EqualFold(address[:4], "url=") {
							page.refresh = strings.Trim(address[4:], `'" `)
						}
					}
				}
			case atom.Form:
				inside = &form{method: strings.ToUpper(attribute(node, "method")), action: attribute(node, "action")}
				for child := node.FirstChild; child != nil; child = child.NextSibling {
					walk(child, inside)
				}
				page.forms = append(page.forms, *inside)
				return
			case atom.Input, atom.Button:
				if inside != nil {
					inside.add(node)
				}
			}
		}
		for child := node.FirstChild; child != nil; child = child.NextSibling {
			walk(child, inside)
		}
	}
	walk(root, nil)
	if sends && len(page.forms) > 0 {
		page.forms[0].self = true
	}
	page.text = strings.TrimSpace(words.String())
	page.text = page.text[:min(len(page.text), maxText)]
	return page
}

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

// decide is the person: what to do with a page. Nil means that there is nothing to do.
func (b *Browser) decide(page document) *step {
	if page.refresh != "" {
		return &step{method: http.MethodGet, address: page.refresh}
	}
	if len(page.forms) == 0 {
		return nil
	}
	if page.forms[0].self {
		return page.forms[0].send(button{}, "")
	}
	if b.Deny {
		for _, one := range page.forms {
			for _, press := range one.buttons {
				if press.declines() {
					return one.send(press, b.Password)
				}
			}
		}
	}
	if chosen, offered := b.account(page.forms); offered {
		return chosen
	}
	for _, one := range page.forms {
		for _, press := range one.buttons {
			if !press.declines() {
				return one.send(press, b.Password)
			}
		}
	}
	return nil
}

// account picks who to sign in as, on a page whose buttons are accounts. An account that is not
// offered is typed, where there is a field for it.
func (b *Browser) account(forms []form) (*step, bool) {
	offered := false
	for _, one := range forms {
		for _, press := range one.buttons {
			if press.name == "account" {
				offered = true
				if b.User == "" || strings.EqualFold(b.User, press.value) {
					return one.send(press, b.Password), true
				}
			}
		}
	}
	if !offered {
		return nil, false
	}
	for _, one := range forms {
		for i, field := range one.fields {
			if field.name == "account" {
				one.fields[i].value = b.User
				return one.send(button{}, b.Password), true
			}
		}
	}
	return nil, true
}

// declines reports whether a button says no.
func (b button) declines() bool {
	for _, word := range []string{"deny", "cancel", "decline", "reject"} {
		if strings.EqualFold(b.value, word) || strings.EqualFold(b.name, word) ||
			strings.HasPrefix(strings.ToLower(b.text), word) {
			return true
		}
	}
	return false
}

func (f form) send(press button, password string) *step {
	values := url.Values{}
	for _, one := range f.fields {
		if one.name == "" {
			continue
		}
		if one.kind == "password" {
			one.value = password
		}
		values.Add(one.name, one.value)
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
	for _, one := range node.Attr {
		if one.Key == name {
			return one.Val
		}
	}
	return ""
}

func has(node *html.Node, name string) bool {
	for _, one := range node.Attr {
		if one.Key == name {
			return true
		}
	}
	return false
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
