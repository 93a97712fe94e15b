package aadsts

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Bounds of Find.
const (
	// MostBytes is how much of a text Find reads.
	MostBytes = 1 << 20
	mostCodes = 20 // findings of one text
)

// A Sign says how a text names a code.
type Sign string

// The signs, the surest first.
const (
	Marked   Sign = "marked"   // AADSTS50011, error_codes, error code: 50011
	Number   Sign = "number"   // a number that is a known code
	Sentence Sign = "sentence" // Entra's sentence without its code
)

// A Finding is one error that a text names.
type Finding struct {
	// Code is 0 for a claims challenge without a code.
	Code int
	Sign Sign
	// Known is false if there is no explanation.
	Known bool
	// Explanation has the values of the text in its fixes.
	Explanation Explanation
	// Error is the OAuth error code beside the code.
	Error string
	// Suberror narrows the error down. SuberrorMeaning explains the known ones.
	Suberror        string
	SuberrorMeaning string
	// TraceID, CorrelationID and Timestamp find the request in the tenant's sign-in log.
	TraceID       string
	CorrelationID string
	Timestamp     string
	// Challenge is the claims challenge of the answer. Nil means none.
	Challenge *Challenge
}

// marks match the codes of a text. The digits are greedy, so 7000215 is never taken for 70002.
var marks = []*regexp.Regexp{
	regexp.MustCompile(`(?i)AADSTS[\s:_#-]{0,3}0*([0-9]{4,9})`),
	regexp.MustCompile(`(?i)error[ _-]?codes?["']?\s*(?:[:=]|is|\s)\s*\[?\s*["']?([0-9]{4,9})`),
	regexp.MustCompile(`(?i)/error\?code=([0-9]{4,9})`),
}

// codeList matches a list of codes, whose first one is marked.
var codeList = regexp.MustCompile(`(?i)error[ _-]?codes["']?\s*[:=]\s*\[([0-9,\s"']{1,200})\]`)

var number = regexp.MustCompile(`[0-9]+`)

// A mention is where a code is in a text.
type mention struct {
	code, at int
	sign     Sign
}

// Find finds the errors in a pasted text, in the order of their first mention. It reads at most
// MostBytes.
func Find(text string) []Finding {
	raw := text[:min(len(text), MostBytes)]
	decoded := decode(raw)
	all := mentions(decoded)
	request := ofRequest(raw)
	var findings []Finding
	seen := map[int]bool{}
	for _, first := range all {
		if seen[first.code] || len(findings) == mostCodes {
			continue
		}
		seen[first.code] = true
		findings = append(findings, finding(decoded, all, first, request))
	}
	if len(findings) == 0 {
		if challenge := readChallenge(decoded); challenge != nil {
			findings = []Finding{{Sign: Sentence, Known: true, Explanation: ofChallenge(), Challenge: challenge}}
		}
	}
	return findings
}

// mentions returns the codes of a text, with the surest sign that it has.
func mentions(text string) []mention {
	if all := marked(text); len(all) > 0 {
		return all
	}
	if all := bare(text); len(all) > 0 {
		return all
	}
	return sentences(text)
}

func marked(text string) []mention {
	var all []mention
	add := func(from, to int) {
		code, err := strconv.Atoi(text[from:to])
		isLonger := to < len(text) && text[to] >= '0' && text[to] <= '9'
		if err == nil && !isLonger {
			all = append(all, mention{code, from, Marked})
		}
	}
	for _, mark := range marks {
		for _, at := range mark.FindAllStringSubmatchIndex(text, -1) {
			add(at[2], at[3])
		}
	}
	for _, list := range codeList.FindAllStringSubmatchIndex(text, -1) {
		for _, at := range number.FindAllStringIndex(text[list[2]:list[3]], -1) {
			add(list[2]+at[0], list[2]+at[1])
		}
	}
	slices.SortStableFunc(all, func(a, b mention) int { return cmp.Compare(a.at, b.at) })
	return all
}

// bare returns the numbers of a text that are known codes. If the text is nothing but a number, any
// number counts.
func bare(text string) []mention {
	var all []mention
	isAlone := strings.Trim(strings.TrimSpace(text), "0123456789") == ""
	for _, at := range number.FindAllStringIndex(text, -1) {
		code, err := strconv.Atoi(text[at[0]:at[1]])
		_, known := entries().byCode[code]
		isWord := !isWordByte(text, at[0]-1) && !isWordByte(text, at[1])
		if err == nil && isWord && (known || isAlone) {
			all = append(all, mention{code, at[0], Number})
		}
	}
	return all
}

// isWordByte reports whether the byte at an index continues a word, an ID or a decimal number.
func isWordByte(text string, i int) bool {
	if i < 0 || i >= len(text) {
		return false
	}
	c := text[i]
	isLetter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
	return isLetter || c >= '0' && c <= '9' || strings.IndexByte("_-", c) >= 0
}

// sentences returns the codes whose sentence is in the text. They concern the text as a whole.
func sentences(text string) []mention {
	const least = 30 // bytes that no other text has by chance
	text = strings.ToLower(strings.Join(strings.Fields(text), " "))
	var all []mention
	for _, code := range entries().codes {
		known := entries().byCode[code]
		for _, sentence := range append([]string{known.Text}, known.Texts...) {
			longest := ""
			for _, part := range placeholder.Split(sentence, -1) {
				if len(part) > len(longest) {
					longest = part
				}
			}
			longest = strings.ToLower(strings.TrimSpace(longest))
			if len(longest) >= least && strings.Contains(text, longest) {
				all = append(all, mention{code, 0, Sentence})
				break
			}
		}
	}
	return all
}

// finding collects what a text says about a code.
func finding(text string, all []mention, first mention, request values) Finding {
	found := Finding{Code: first.code, Sign: first.sign}
	part := text
	if first.sign != Sentence {
		part = passage(text, all, first.code)
	}
	found.TraceID = firstOf(part, text, traceID)
	found.CorrelationID = firstOf(part, text, correlationID)
	found.Timestamp = firstOf(part, text, timestamp)
	found.Error = firstOf(part, text, oauthError)
	found.Suberror = firstOf(part, text, suberror)
	found.SuberrorMeaning = suberrors[found.Suberror]
	found.Challenge = readChallenge(text)
	known, isKnown := entries().byCode[first.code]
	if !isKnown {
		return found
	}
	found.Known = true
	named := values{}
	for name, value := range request {
		named[name] = value
	}
	for _, sentence := range append([]string{known.Text}, known.Texts...) {
		if read := match(sentence, part); read != nil {
			for name, value := range read {
				named[name] = value
			}
			break
		}
	}
	found.Explanation = known.explanation(named)
	return found
}

// passage returns the part of a text from a code up to the next other code. If the code appears
// several times, the last part with a trace ID counts: the sign-in log forgets old requests.
func passage(text string, all []mention, code int) string {
	chosen := ""
	for i := 0; i < len(all); i++ {
		if all[i].code != code {
			continue
		}
		end := len(text)
		last := i
		for j := i + 1; j < len(all); j++ {
			if all[j].code != code {
				end = all[j].at
				break
			}
			last = j
		}
		part := text[all[i].at:end]
		if chosen == "" || traceID.MatchString(part) {
			chosen = part
		}
		i = last
	}
	return chosen
}

// The IDs beside an error, in the forms of JSON, of a page and of a log.
var (
	traceID       = regexp.MustCompile(`(?i)trace[ _]?id["']?[\s:="']{1,6}([0-9a-f-]{36})`)
	correlationID = regexp.MustCompile(`(?i)correlation[ _]?id["']?[\s:="']{1,6}([0-9a-f-]{36})`)
	timestamp     = regexp.MustCompile(`(?i)timestamp["']?[\s:="']{1,6}([0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9:.]{5,16}Z)`)
	oauthError    = regexp.MustCompile(`(?i)(?:^|[^_a-z])error["']?[:=]\s?["']?([a-z_]{5,40})`)
	suberror      = regexp.MustCompile(`(?i)suberror["']?[\s:="']{1,6}([a-z_]{5,40})`)
)

// firstOf returns the value of a pattern in the passage about a code, or else the only one of the
// whole text.
func firstOf(part, text string, pattern *regexp.Regexp) string {
	if found := pattern.FindStringSubmatch(part); found != nil {
		return found[1]
	}
	found := pattern.FindAllStringSubmatch(text, 2)
	if len(found) == 1 || len(found) == 2 && found[0][1] == found[1][1] {
		return found[0][1]
	}
	return ""
}

// suberrors explains the member suberror.
var suberrors = map[string]string{
	"additional_action":          "the person has to do something more; a visible sign-in shows it",
	"bad_token":                  "the presented token is no longer good; drop it and sign in again",
	"basic_action":               "a visible sign-in resolves it, for example with a second factor",
	"client_mismatch":            "the token was issued to another client",
	"consent_required":           "a consent is missing",
	"message_only":               "the person only gets a message; signing in again does not help",
	"protection_policy_required": "a policy wants an app with app protection (Intune)",
	"token_expired":              "the presented token has expired; sign in again",
	"ui_not_allowed":             "a page is needed, and the request forbids it",
	"user_password_expired":      "the password has expired; the person has to change it",
}
