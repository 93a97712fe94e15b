package signing

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// firstClaims come first in a token. The other claims follow by name.
var firstClaims = []string{"aud", "iss", "iat", "nbf", "exp"}

// appendClaims writes a claims set in the order of Entra ID's tokens.
func appendClaims(to []byte, claims map[string]any) ([]byte, error) {
	names := make([]string, 0, 40)
	for _, name := range firstClaims {
		if _, found := claims[name]; found {
			names = append(names, name)
		}
	}
	first := len(names)
	for name := range claims {
		if !slices.Contains(firstClaims, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names[first:])
	to = append(to, '{')
	for i, name := range names {
		if i > 0 {
			to = append(to, ',')
		}
		var err error
		to, err = appendJSON(append(appendText(to, name), ':'), claims[name])
		if err != nil {
			return nil, err
		}
	}
	return append(to, '}'), nil
}

// appendJSON is json.Marshal, with a faster path for texts and whole numbers.
func appendJSON(to []byte, value any) ([]byte, error) {
	switch value := value.(type) {
	case string:
		return appendText(to, value), nil
	case int64:
		return strconv.AppendInt(to, value, 10), nil
	}
	text, err := json.Marshal(value)
	return append(to, text...), err
}

func appendText(to []byte, text string) []byte {
	for _, c := range []byte(text) {
		if c < ' ' || c > '~' || strings.IndexByte(`"\<>&`, c) >= 0 {
			quoted, err := json.Marshal(text)
			if err != nil {
				panic(err) // a string
			}
			return append(to, quoted...)
		}
	}
	return append(append(append(to, '"'), text...), '"')
}
