package lookalike

import (
	"bufio"
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

//go:embed known_clients.json
var knownClients []byte

//go:embed confusables.txt
var confusables string

// A knownClient is a program that people know by name, and where it really gets its answers.
type knownClient struct {
	Names []string `json:"names"`
	// Hosts are those of its redirect URIs.
	Hosts []string `json:"hosts"`
	// Loopback says that it also waits for answers on the person's own computer.
	Loopback bool `json:"loopback"`
	// CommonWord says that the name is a word that other names may contain, as in "Database Cursor
	// Viewer".
	CommonWord bool `json:"commonWord"`
	// Source says where this is known from.
	Source string `json:"source"`

	skeletons []string
}

// A Table compares names and hosts with those of known clients. It is safe for concurrent use.
type Table struct {
	clients     []*knownClient
	decorations map[string]bool
	letters     map[rune]rune // look like an ASCII letter
}

// Load reads the embedded table.
func Load() (*Table, error) {
	t := &Table{letters: map[rune]rune{}, decorations: map[string]bool{}}
	lines := bufio.NewScanner(strings.NewReader(confusables))
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) == 0 || fields[0] == "#" {
			continue
		}
		for _, field := range fields[1:] {
			letter, size := utf8.DecodeRuneInString(field)
			if size != len(field) || len(fields[0]) != 1 {
				return nil, fmt.Errorf("lookalike: confusables.txt: want single letters, got %q", field)
			}
			t.letters[letter] = rune(fields[0][0])
		}
	}
	var content struct {
		Clients     []*knownClient `json:"clients"`
		Decorations []string       `json:"decorations"`
	}
	if err := json.Unmarshal(knownClients, &content); err != nil {
		return nil, fmt.Errorf("lookalike: known_clients.json: %w", err)
	}
	t.clients = content.Clients
	for _, client := range t.clients {
		for _, name := range client.Names {
			client.skeletons = append(client.skeletons, strings.Join(t.words(name, reading{}), ""))
		}
	}
	for _, word := range content.Decorations {
		t.decorations[strings.Join(t.words(word, reading{}), "")] = true
	}
	return t, lines.Err()
}

// Likeness is a known client that a name or host may be taken for.
type Likeness struct {
	Name string
	// Hosts are where that client really gets its answers. None means the person's own computer
	// alone.
	Hosts []string
}

// maxName bounds the text that is compared, in runes.
const maxName = 200

// Client returns the known client that a self-chosen name equals or resembles, if answers to host
// do not reach that client. Host is in lower-case IDNA ASCII without a port; loopback says that it
// is the person's own computer. Nil means that there is no reason for a warning.
func (t *Table) Client(name, host string, loopback bool) *Likeness {
	if runes := []rune(name); len(runes) > maxName {
		name = string(runes[:maxName])
	}
	var readings [][]string
	for _, how := range []reading{{}, {symbols: true}, {camelCase: true}, {symbols: true, camelCase: true}} {
		readings = append(readings, t.words(name, how))
	}
	var found *knownClient
	var foundName string
	for _, client := range t.clients {
		for i, skeleton := range client.skeletons {
			if !t.resemble(readings, skeleton, client.CommonWord) {
				continue
			}
			spelled := strings.Contains(plain(name), plain(client.Names[i]))
			if slices.Contains(client.Hosts, host) || loopback && client.Loopback && spelled {
				return nil
			}
			if len(client.Names[i]) > len(foundName) {
				found = client
				foundName = client.Names[i]
			}
		}
	}
	if found == nil {
		return nil
	}
	return &Likeness{Name: foundName, Hosts: found.Hosts}
}

// plain are the ASCII letters and digits of a name in lower case.
func plain(name string) string {
	return strings.Map(func(r rune) rune {
		if r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
			return unicode.ToLower(r)
		}
		return -1
	}, name)
}

// resemble reports whether a reading of a name has a run of words that looks like the known one. If
// that is a common word, the rest of the name must say nothing.
func (t *Table) resemble(readings [][]string, known string, commonWord bool) bool {
	for _, words := range readings {
		for from := range words {
			joined := ""
			for to := from; to < len(words) && len(joined) < len(known); to++ {
				joined += words[to]
				if joined != known {
					continue
				}
				if !commonWord || t.decorates(words[:from]) && t.decorates(words[to+1:]) {
					return true
				}
			}
		}
	}
	return false
}

func (t *Table) decorates(words []string) bool {
	return !slices.ContainsFunc(words, func(word string) bool {
		return !t.decorations[word] && strings.Trim(word, "0123456789lo") != ""
	})
}

// A reading is a way to split a name into words.
type reading struct {
	symbols   bool // that stand for letters, such as | for l
	camelCase bool // begins words
}

// words splits a name into the skeletons of its words (UTS 39 section 4). The skeleton is coarser
// than the standard's: case, marks, and digits that stand for letters do not count.
func (t *Table) words(name string, how reading) []string {
	var words []string
	var word strings.Builder
	end := func() {
		if word.Len() > 0 {
			words = append(words, pairs.Replace(word.String()))
			word.Reset()
		}
	}
	// Normalization turns some look-alikes into letters that look like nothing: Ϲ becomes Σ.
	name = strings.Map(t.latin, name)
	previous := ' '
	for _, r := range norm.NFKD.String(name) {
		if isInvisible(r) {
			continue
		}
		if how.camelCase && unicode.IsUpper(r) && unicode.IsLower(previous) {
			end()
		}
		previous = r
		switch letter := t.letter(r, how.symbols); {
		case letter != 0:
			word.WriteRune(letter)
		default:
			end()
		}
	}
	end()
	return words
}

// latin is the ASCII letter that a letter looks like, in its case, or the letter itself.
func (t *Table) latin(r rune) rune {
	to := t.letters[r]
	switch {
	case to == 0:
		return r
	case unicode.IsUpper(r):
		return unicode.ToUpper(to)
	}
	return to
}

// isInvisible reports whether a character does not count: marks over letters, direction controls,
// joiners, fillers.
func isInvisible(r rune) bool {
	return unicode.Is(unicode.Mn, r) || unicode.Is(unicode.Me, r) || unicode.Is(unicode.Cf, r) ||
		unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r) || unicode.IsControl(r) && !unicode.IsSpace(r)
}

// pairs of letters look like one.
var pairs = strings.NewReplacer("rn", "m", "vv", "w")

// symbols that stand for letters between letters.
var symbols = map[rune]rune{
	'|': 'l',
	'!': 'l',
	'@': 'a',
	'$': 's',
	'€': 'e',
	'©': 'c',
	'¢': 'c',
	'₵': 'c',
	'₽': 'p',
	'®': 'r',
	'¥': 'y',
	'∪': 'u',
}

// digits that look like letters. Upper-case I and lower-case i and l are one, too.
var digits = map[rune]rune{'0': 'o', '1': 'l', '3': 'e', '4': 'a', '5': 's', '7': 't', '8': 'b', 'i': 'l'}

// letter is the lower-case ASCII letter that a character looks like, the character itself if it is
// a letter or digit that looks like none, or 0.
func (t *Table) letter(r rune, withSymbols bool) rune {
	if to := symbols[r]; to != 0 && withSymbols {
		return to
	}
	for _, spelled := range []rune{r, unicode.ToUpper(r), unicode.ToLower(r)} {
		if to := t.letters[spelled]; to != 0 {
			r = to
			break
		}
	}
	r = unicode.ToLower(emblem(r))
	if to := digits[r]; to != 0 {
		r = to
	}
	if unicode.IsLetter(r) || unicode.IsDigit(r) {
		return r
	}
	return 0
}

// emblems begin the alphabets of letters in circles, in squares and on flags that have no other
// form in Unicode.
var emblems = []rune{0x1F130, 0x1F150, 0x1F170, 0x1F1E6}

// emblem is the letter of an emblem, or the character itself.
func emblem(r rune) rune {
	for _, first := range emblems {
		if r >= first && r < first+26 {
			return 'A' + r - first
		}
	}
	return r
}

// A HostProblem is a reason not to take a host for what it looks like.
type HostProblem struct {
	// MixesScripts says that a label has letters of more than one script.
	MixesScripts bool
	// LooksLike is an ASCII host that this one may be taken for, or empty.
	LooksLike string
}

// Host looks at a host in lower-case IDNA ASCII, and compares it with those of known clients and
// with others. Nil means that there is no reason for a warning.
func (t *Table) Host(host string, others ...string) *HostProblem {
	shown, err := idna.Punycode.ToUnicode(host)
	if err != nil {
		return &HostProblem{MixesScripts: true}
	}
	var problem HostProblem
	skeleton := t.hostSkeleton(shown)
	known := slices.Clone(others)
	for _, client := range t.clients {
		known = append(known, client.Hosts...)
	}
	if slices.Contains(known, host) {
		return nil
	}
	for _, one := range known {
		if imitates(skeleton, t.hostSkeleton(one)) {
			problem.LooksLike = one
		}
	}
	for _, label := range strings.Split(shown, ".") {
		problem.MixesScripts = problem.MixesScripts || mixesScripts(label)
	}
	if problem.LooksLike == "" && shown != host && t.readsAsASCII(shown) {
		problem.LooksLike = t.imitated(shown)
	}
	if problem == (HostProblem{}) {
		return nil
	}
	return &problem
}

// imitates reports whether a host looks like another one, or has its name before its own, as in
// claude.ai.login.example and claude.ai-login.example. A phone shows the beginning of a long
// address.
func imitates(skeleton, of string) bool {
	within := "." + skeleton
	return skeleton == of || strings.Contains(within, "."+of+".") || strings.Contains(within, "."+of+"-")
}

func (t *Table) hostSkeleton(host string) string {
	var labels []string
	for _, label := range strings.Split(host, ".") {
		labels = append(labels, strings.Join(t.words(label, reading{}), "-"))
	}
	return strings.Join(labels, ".")
}

// readsAsASCII reports whether every label that is not ASCII can be read as if it were.
func (t *Table) readsAsASCII(host string) bool {
	return !strings.ContainsFunc(t.imitated(host), func(r rune) bool { return r >= utf8.RuneSelf })
}

// imitated replaces the letters of a host by the ASCII letters that they look like.
func (t *Table) imitated(host string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r < utf8.RuneSelf:
			return r
		case t.letters[r] != 0:
			return t.letters[r]
		case isInvisible(r):
			return -1
		}
		return r
	}, norm.NFKC.String(host))
}

// MixesScripts reports whether a word of a name has letters of more than one writing system, as in
// "Pаypal" with a Cyrillic а.
func (t *Table) MixesScripts(name string) bool {
	words := strings.FieldsFunc(name, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsMark(r) })
	return slices.ContainsFunc(words, mixesScripts)
}

// scriptSets are the scripts that are written together (UTS 39 sections 5.1 and 5.2, "highly
// restrictive").
var scriptSets = map[string][]string{
	"Latin":    {"Latin", "Japanese", "Korean", "Bopomofo"},
	"Han":      {"Japanese", "Korean", "Bopomofo"},
	"Hiragana": {"Japanese"},
	"Katakana": {"Japanese"},
	"Hangul":   {"Korean"},
	"Bopomofo": {"Bopomofo"},
}

// mixesScripts reports whether a text has letters that no one writing system has together.
func mixesScripts(text string) bool {
	var common []string
	for _, r := range text {
		script := scriptOf(r)
		if script == "" {
			continue
		}
		sets := scriptSets[script]
		if sets == nil {
			sets = []string{script}
		}
		if common == nil {
			common = sets
		}
		common = slices.DeleteFunc(slices.Clone(common), func(one string) bool { return !slices.Contains(sets, one) })
		if len(common) == 0 {
			return true
		}
	}
	return false
}

// scriptOf is the script of a letter, or empty if it belongs to all.
func scriptOf(r rune) string {
	if unicode.In(r, unicode.Common, unicode.Inherited) {
		return ""
	}
	if r < utf8.RuneSelf {
		return "Latin"
	}
	for name, table := range unicode.Scripts {
		if unicode.Is(table, r) {
			return name
		}
	}
	return "unknown"
}
