package jsonrpc

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// rpcNames and paramNames are the names that decide what a message does. A parser that ignores case
// would take "Method" for one of them.
var (
	rpcNames   = bytes.Fields([]byte("jsonrpc id method params result error"))
	paramNames = bytes.Fields([]byte("_meta name arguments uri ref argument cursor level protocolVersion " +
		"capabilities clientInfo taskId requestId requestState inputResponses"))
)

// A member is a name and a value of a JSON object.
type member struct {
	name  []byte
	value jsontext.Value
}

// members are the members of an object, in the order of the text. A message has few.
type members []member

func (m members) get(name string) (jsontext.Value, bool) {
	for _, member := range m {
		if string(member.name) == name {
			return member.value, true
		}
	}
	return nil, false
}

var errOtherCase = errors.New("a name differs from another only by case")

// readMembers appends the members of an object to read. It fails if a name equals one of the known
// names, or another member's name, except for case. The text is canonical: valid JSON without
// blanks between its parts. Names and values are parts of the text.
func readMembers(read members, text jsontext.Value, known [][]byte) (members, error) {
	if text.Kind() != '{' {
		return nil, errors.New("not an object")
	}
	for at := 1; text[at] != '}'; {
		if text[at] == ',' {
			at++
		}
		colon := at + partLength(text[at:])
		name, err := memberName(text[at:colon], known)
		if err != nil {
			return nil, err
		}
		at = colon + 1 + partLength(text[colon+1:])
		read = append(read, member{name, text[colon+1 : at]})
	}
	if hasDuplicates(read) {
		return nil, errOtherCase
	}
	return read, nil
}

// memberName decodes a quoted name. It fails if the name equals a known one except for case.
func memberName(quoted jsontext.Value, known [][]byte) ([]byte, error) {
	name, err := unquoted(quoted)
	if err != nil {
		return nil, err
	}
	for _, k := range known {
		if equalFold(k, name) {
			if !bytes.Equal(k, name) {
				return nil, errOtherCase
			}
			break
		}
	}
	return name, nil
}

// equalFold reports whether two names are equal for a parser that ignores case. It knows that the
// long s and the Kelvin sign are letters of another case. Most names differ in the first letter.
func equalFold(a, b []byte) bool { return !startDifferently(a, b) && bytes.EqualFold(a, b) }

// startDifferently reports whether both names begin with ASCII letters that differ in more than
// case.
func startDifferently(a, b []byte) bool {
	if len(a) == 0 || len(b) == 0 {
		return false
	}
	return a[0] < utf8.RuneSelf && b[0] < utf8.RuneSelf && a[0]|' ' != b[0]|' '
}

// fewMembers is how many names hasDuplicates compares in pairs. For more names, a map costs less.
const fewMembers = 16

// hasDuplicates reports whether two names are equal except for case.
func hasDuplicates(read members) bool {
	if len(read) <= fewMembers {
		for i, m := range read {
			if slices.ContainsFunc(read[:i], func(other member) bool { return equalFold(m.name, other.name) }) {
				return true
			}
		}
		return false
	}
	folded := make(map[string]bool, len(read))
	for _, m := range read {
		name := strings.ToLower(strings.ToUpper(string(m.name)))
		if folded[name] {
			return true
		}
		folded[name] = true
	}
	return false
}

// unquoted decodes a string of valid JSON. The result may be a part of the text.
func unquoted(quoted jsontext.Value) ([]byte, error) {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1], nil
	}
	return jsontext.AppendUnquote(nil, quoted)
}

// partLength returns the length of the name or value at the beginning of canonical JSON. It ends at
// the first colon, comma or closing bracket outside the part.
func partLength(text jsontext.Value) int {
	open := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			i += stringLength(text[i:]) - 1
		case '{', '[':
			open++
		case ':', ',':
			if open == 0 {
				return i
			}
		case '}', ']':
			if open == 0 {
				return i
			}
			open--
		}
	}
	return len(text)
}

// stringLength returns the length of the quoted string at the beginning of valid JSON.
func stringLength(text jsontext.Value) int {
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '"':
			return i + 1
		case '\\':
			i++
		}
	}
	return len(text)
}

// depth returns how deep the arrays and objects of valid JSON are nested.
func depth(text jsontext.Value) int {
	deepest := 0
	now := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			i += stringLength(text[i:]) - 1
		case '{', '[':
			now++
			deepest = max(deepest, now)
		case '}', ']':
			now--
		}
	}
	return deepest
}
