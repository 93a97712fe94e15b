package attack

import (
	"encoding/base64"
	"encoding/hex"
	"strings"

	"mcpentra/conformance/servers/internal/bench"
)

// echoBytes is how many bytes of a secret in a row are an echo. Fewer could be a coincidence.
const echoBytes = 16

// An Echo tells where an answer repeats a part of a secret.
type Echo struct {
	Place  string // the name of a header, or "the body"
	Form   string // how it is written
	Header bool
}

// FindEcho looks for echoBytes bytes of a secret in a row, in the headers and in the body of an
// answer. The secret may be written as it is, in base64, in hexadecimal digits or with
// percent-encoding, in any letter case.
func FindEcho(answer *bench.Answer, secret string) *Echo {
	if len(secret) < echoBytes {
		return nil
	}
	needles := echoForms(secret)
	for name, values := range answer.Header {
		text := name + ": " + strings.Join(values, ", ")
		if form := findForm(text, needles); form != "" {
			return &Echo{Place: "the header " + name, Form: form, Header: true}
		}
	}
	if form := findForm(string(answer.Body), needles); form != "" {
		return &Echo{Place: "the body", Form: form}
	}
	return nil
}

// An echoForm is a way to write a secret, with the parts to look for.
type echoForm struct {
	name string
	size int             // of a part
	part map[string]bool // in lower case
}

// echoForms returns the ways to write a secret.
func echoForms(secret string) []echoForm {
	percent := strings.NewReplacer(".", "%2e", "-", "%2d", "_", "%5f", "~", "%7e", "+", "%2b", "/", "%2f", "=", "%3d")
	forms := []echoForm{
		newEchoForm("as it is", echoBytes, secret),
		newEchoForm("with percent-encoding", echoBytes, percent.Replace(secret)),
		newEchoForm("in hexadecimal digits", 2*echoBytes, hex.EncodeToString([]byte(secret))),
	}
	// The text before the secret decides how its bytes fall into groups of three.
	for shift := range 3 {
		shifted := strings.Repeat("x", shift) + secret
		text := base64.RawStdEncoding.EncodeToString([]byte(shifted))
		const group = 4
		if inner := text[group : len(text)-group]; len(inner) >= echoBytes {
			forms = append(forms, newEchoForm("in base64", echoBytes*4/3, webSafe.Replace(inner)))
		}
	}
	return forms
}

// webSafe replaces the two characters in which the alphabets of base64 differ.
var webSafe = strings.NewReplacer("+", "-", "/", "_")

func newEchoForm(name string, size int, text string) echoForm {
	form := echoForm{name: name, size: size, part: map[string]bool{}}
	text = strings.ToLower(text)
	for i := 0; i+size <= len(text); i++ {
		form.part[text[i:i+size]] = true
	}
	return form
}

// findForm returns the form in which a text has a part of the secret, or "".
func findForm(text string, forms []echoForm) string {
	text = strings.ToLower(text)
	safe := webSafe.Replace(text)
	for _, form := range forms {
		in := text
		if form.name == "in base64" {
			in = safe
		}
		for i := 0; i+form.size <= len(in); i++ {
			if form.part[in[i:i+form.size]] {
				return form.name
			}
		}
	}
	return ""
}
