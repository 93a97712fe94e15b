package aadsts

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"

	"go.yaml.in/yaml/v4"
)

// A Place says what to change.
type Place string

// The places. The first four have the names that the doctor uses.
const (
	ServerSetting Place = "server setting" // of mcp-entra-server, in its .env file
	ProxyLine     Place = "proxy line"
	PortalPage    Place = "portal page" // of the Entra admin center
	ClientSetting Place = "client setting"
	Person        Place = "person" // at the browser or the client
)

// A Moment says when Entra answers with an error.
type Moment string

// The moments.
const (
	// AtAuthorization is before a sign-in, at the authorization endpoint.
	AtAuthorization Moment = "before a sign-in, at the authorization endpoint"
	// AtToken is at the token endpoint, for a request that needs no person.
	AtToken Moment = "before a sign-in, at the token endpoint"
	// AtSignIn is while the person signs in or consents.
	AtSignIn Moment = "during the sign-in"
	// AfterSignIn is at the token endpoint, for a request that follows a sign-in.
	AfterSignIn Moment = "after a sign-in, at the token endpoint"
)

// A Fix is one change. Several fixes are alternatives, the likeliest first.
type Fix struct {
	Place Place
	Where string // the page, the name of the setting, or the part of the client
	Text  string
}

// An Explanation explains one error.
type Explanation struct {
	Code    int
	Text    string // Entra's sentence, with {name} for each value
	Meaning string
	Why     string // why MCP clients and servers get it
	Shows   Moment
	Fixes   []Fix
	Links   []string // Microsoft's documentation
}

// BeforeSignIn reports whether the error shows without a person.
func (e Explanation) BeforeSignIn() bool { return e.Shows == AtAuthorization || e.Shows == AtToken }

// Explain explains a code. It returns false for an unknown one.
func Explain(code int) (Explanation, bool) {
	known, found := entries().byCode[code]
	if !found {
		return Explanation{}, false
	}
	return known.explanation(nil), true
}

// Codes returns the codes that Explain knows, in ascending order.
func Codes() []int { return slices.Clone(entries().codes) }

// mostNeighbours bounds what Neighbours returns.
const mostNeighbours = 5

// Neighbours returns the known codes that begin like an unknown one. Codes with a common beginning
// often have a common topic.
func Neighbours(code int) []Explanation {
	const fewest = 3 // digits in common
	text := strconv.Itoa(code)
	for length := len(text); length >= fewest; length-- {
		var near []Explanation
		for _, known := range entries().codes {
			if known != code && strings.HasPrefix(strconv.Itoa(known), text[:length]) && len(near) < mostNeighbours {
				near = append(near, entries().byCode[known].explanation(nil))
			}
		}
		if near != nil {
			return near
		}
	}
	return nil
}

// An entry is an explanation as it is in a file.
type entry struct {
	Code  int
	Text  string
	Texts []string // older or other sentences with the same code
	Means string
	Why   string
	Shows string
	Fixes []struct{ Place, Where, Text string }
	See   []string
}

// adminConsent is the only portal page without a path.
const adminConsent = "the tenant's admin consent page"

// documentation is the beginning of every link.
const documentation = "https://learn.microsoft.com/entra/"

var placeNames = map[string]Place{
	"server": ServerSetting,
	"proxy":  ProxyLine,
	"portal": PortalPage,
	"client": ClientSetting,
	"person": Person,
}

var moments = map[string]Moment{
	"request":     AtAuthorization,
	"token":       AtToken,
	"sign-in":     AtSignIn,
	"token-later": AfterSignIn,
}

// menu has the items of the Entra admin center that lead to a page.
var menu = []string{
	"App registrations",
	"Conditional Access",
	"Devices",
	"Enterprise applications",
	"Monitoring & health",
	"Overview",
	"Users",
}

// isMenu reports whether a path begins in the menu of the portal.
func isMenu(where string) bool {
	first, _, _ := strings.Cut(where, " > ")
	return slices.Contains(menu, first)
}

// explanation fills values into an entry.
func (e *entry) explanation(found values) Explanation {
	filled := Explanation{
		Code:    e.Code,
		Text:    e.Text,
		Meaning: found.fill(e.Means),
		Why:     found.fill(e.Why),
		Shows:   moments[e.Shows],
	}
	for _, fix := range e.Fixes {
		where := found.fill(fix.Where)
		if isMenu(fix.Where) {
			where = "Entra admin center > " + where
		}
		filled.Fixes = append(filled.Fixes, Fix{Place: placeNames[fix.Place], Where: where, Text: found.fill(fix.Text)})
	}
	for _, link := range e.See {
		filled.Links = append(filled.Links, documentation+link)
	}
	return filled
}

//go:embed entries
var folder embed.FS

// A table has all entries.
type table struct {
	byCode map[int]*entry
	codes  []int
}

// entries is the table of the embedded files.
var entries = sync.OnceValue(func() table {
	files, err := folder.ReadDir("entries")
	if err != nil {
		panic(fmt.Sprintf("aadsts: %v", err)) // our own folder
	}
	all := table{byCode: map[int]*entry{}}
	for _, file := range files {
		text, err := folder.ReadFile(path.Join("entries", file.Name()))
		if err == nil {
			err = read(text, all.byCode)
		}
		if err != nil {
			panic(fmt.Sprintf("aadsts: %s: %v", file.Name(), err)) // our own file
		}
	}
	all.codes = slices.Sorted(maps.Keys(all.byCode))
	return all
})

// read adds the entries of a file to a table. It refuses unknown fields and incomplete entries.
func read(text []byte, into map[int]*entry) error {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	var list []*entry
	if err := decoder.Decode(&list); err != nil {
		return err
	}
	if err := decoder.Decode(&struct{}{}); !errors.Is(err, io.EOF) {
		return fmt.Errorf("want one document, got more: %w", err)
	}
	for _, next := range list {
		if err := next.check(); err != nil {
			return fmt.Errorf("code %d: %w", next.Code, err)
		}
		if into[next.Code] != nil {
			return fmt.Errorf("code %d: the code appears twice", next.Code)
		}
		into[next.Code] = next
	}
	return nil
}

// check refuses an entry that lacks something, or has an unknown name.
func (e *entry) check() error {
	if e.Code <= 0 || e.Text == "" || e.Means == "" || e.Why == "" {
		return errors.New("want code, text, means and why")
	}
	if moments[e.Shows] == "" {
		return fmt.Errorf("shows: want one of %v, got %q", slices.Sorted(maps.Keys(moments)), e.Shows)
	}
	if len(e.Fixes) == 0 {
		return errors.New("want at least one fix")
	}
	parts := []string{e.Means, e.Why}
	for _, fix := range e.Fixes {
		if placeNames[fix.Place] == "" {
			return fmt.Errorf("place: want one of %v, got %q", slices.Sorted(maps.Keys(placeNames)), fix.Place)
		}
		if fix.Where == "" || fix.Text == "" {
			return errors.New("want where and text in each fix")
		}
		isPage := isMenu(fix.Where) || fix.Where == adminConsent
		if isPage != (placeNames[fix.Place] == PortalPage) {
			return fmt.Errorf("want a path from %v for the place portal alone, got %q", menu, fix.Where)
		}
		parts = append(parts, fix.Where, fix.Text)
	}
	parts = append(append(parts, e.Text), e.Texts...)
	for _, name := range placeholder.FindAllStringSubmatch(strings.Join(parts, "\n"), -1) {
		if _, known := words[name[1]]; !known {
			return fmt.Errorf("want one of %v in braces, got %q", slices.Sorted(maps.Keys(words)), name[1])
		}
	}
	return nil
}
