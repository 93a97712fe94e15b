package differences

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"

	"mcpentra/fakeentra/internal/verify/document"
)

func status(status int) func(*Answer) { return func(answer *Answer) { answer.Status = status } }

// header sets a field, or removes it if the value is empty.
func header(name, value string) func(*Answer) {
	return func(answer *Answer) {
		answer.Header.Del(name)
		if value != "" {
			answer.Header.Set(name, value)
		}
	}
}

func replace(old, changed string) func(*Answer) {
	return func(answer *Answer) {
		answer.Body = bytes.ReplaceAll(answer.Body, []byte(old), []byte(changed))
	}
}

// edit changes a JSON body. It leaves any other body alone.
func edit(change func(body *document.Value)) func(*Answer) {
	return func(answer *Answer) {
		body, err := document.Parse(answer.Body)
		if err != nil {
			return
		}
		change(body)
		if text, err := json.Marshal(body); err == nil {
			answer.Body = text
		}
	}
}

// editClaims changes the claims of a token. Its signature is then wrong.
func editClaims(name string, change func(claims *document.Value)) func(*Answer) {
	return edit(func(body *document.Value) {
		token := body.Member(name)
		if token == nil {
			return
		}
		parts := strings.Split(token.Text, ".")
		if len(parts) != 3 {
			return
		}
		text, err := base64.RawURLEncoding.DecodeString(parts[1])
		if err != nil {
			return
		}
		claims, err := document.Parse(text)
		if err != nil {
			return
		}
		change(claims)
		if text, err = json.Marshal(claims); err == nil {
			parts[1] = base64.RawURLEncoding.EncodeToString(text)
			token.Text = strings.Join(parts, ".")
		}
	})
}

// firstLast moves the first member to the end.
func firstLast(body *document.Value) {
	if len(body.Members) > 0 {
		body.Members = append(body.Members[1:], body.Members[0])
	}
}

func codesAsTexts(body *document.Value) {
	if codes := body.Member("error_codes"); codes != nil {
		for _, code := range codes.Items {
			code.Kind = document.String
		}
	}
}

func intervalAsText(body *document.Value) {
	if interval := body.Member("interval"); interval != nil {
		interval.Kind = document.String
	}
}

func set(object *document.Value, name string, value *document.Value) {
	object.Members = append(object.Members, document.Member{Name: name, Value: value})
}

func remove(object *document.Value, name string) {
	for i, member := range object.Members {
		if member.Name == name {
			object.Members = append(object.Members[:i], object.Members[i+1:]...)
			return
		}
	}
}

// add adds to a number.
func add(object *document.Value, name string, seconds int) {
	value := object.Member(name)
	if value == nil {
		return
	}
	if number, err := strconv.Atoi(value.Text); err == nil {
		value.Text = strconv.Itoa(number + seconds)
	}
}

func keysWithoutCertificates(body *document.Value) {
	if keys := body.Member("keys"); keys != nil {
		for _, key := range keys.Items {
			remove(key, "x5c")
		}
	}
}

func keysWithOtherThumbprints(body *document.Value) {
	keys := body.Member("keys")
	if keys == nil {
		return
	}
	for i, key := range keys.Items {
		if thumbprint := key.Member("x5t"); thumbprint != nil {
			thumbprint.Text = "another-thumbprint-" + strconv.Itoa(i)
		}
	}
}
