package mask

import (
	"encoding/base64"
	"strconv"
	"strings"

	"mcpentra/fakeentra/internal/verify/document"
	"mcpentra/fakeentra/internal/verify/recording"
)

// token masks a member that holds a JWT. It does not check the signature.
func (s *scope) token(member document.Member) (recording.Token, bool) {
	parts := strings.Split(member.Value.Text, ".")
	if member.Value.Kind != document.String || len(parts) != 3 {
		return recording.Token{}, false
	}
	header, isObject := decoded(parts[0])
	claims, areObject := decoded(parts[1])
	if !isObject || !areObject {
		return recording.Token{}, false
	}
	issued, _ := strconv.ParseInt(claims.Member("iat").text(), 10, 64)
	where := member.Name + " "
	return recording.Token{
		Header: s.claims(header.Value, where+"header ", 0),
		Claims: s.claims(claims.Value, where, issued),
	}, true
}

// A part is a decoded part of a JWT.
type part struct{ *document.Value }

func (p part) Member(name string) part { return part{p.Value.Member(name)} }

func (p part) text() string {
	if p.Value == nil {
		return ""
	}
	return p.Text
}

func decoded(text string) (part, bool) {
	plain, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return part{}, false
	}
	value, err := document.Parse(plain)
	return part{value}, err == nil && value.Kind == document.Object
}

// claims masks the claims of a token. Times become seconds after issued.
func (s *scope) claims(object *document.Value, where string, issued int64) *document.Value {
	masked := &document.Value{Kind: document.Object}
	for _, member := range object.Members {
		name := memberName(member.Name)
		masked.Members = append(masked.Members, document.Member{
			Name:  name,
			Value: s.claim(member.Value, member.Name, where+name, issued),
		})
	}
	return masked
}

func (s *scope) claim(v *document.Value, name, where string, issued int64) *document.Value {
	masked := *v
	switch v.Kind {
	case document.Object:
		return s.claims(v, where+".", issued)
	case document.Array:
		masked.Items = nil
		for _, item := range v.Items {
			masked.Items = append(masked.Items, s.claim(item, name, where+"[]", issued))
		}
	case document.Number:
		masked.Text = "0"
		if at, err := strconv.ParseInt(v.Text, 10, 64); err == nil && times[name] {
			masked.Text = strconv.FormatInt(at-issued, 10)
		}
	case document.String:
		masked.Text = s.claimText(v.Text, name, where)
	}
	return &masked
}

func (s *scope) claimText(text, name, where string) string {
	switch {
	case text == "":
		return ""
	case name == "scp":
		return s.scopes(text, where)
	case name == "aud" && !isGUID(text) && !isGUID(strings.TrimPrefix(text, "api://")) && s.origins(text) == text:
		return s.repeated("resource", text, where)
	case claims[name]:
		return s.text(text, where)
	case isGUID(text):
		return s.place("guid", text, where)
	}
	return s.place("secret", text, where)
}
