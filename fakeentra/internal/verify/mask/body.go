package mask

import (
	"regexp"
	"strings"

	"mcpentra/fakeentra/internal/verify/document"
	"mcpentra/fakeentra/internal/verify/recording"
)

// value masks a JSON value. Name is the member that holds it.
func (s *scope) value(v *document.Value, name, where string) *document.Value {
	masked := *v
	switch v.Kind {
	case document.Object:
		masked.Members = nil
		for _, member := range v.Members {
			name := memberName(member.Name)
			inside := strings.TrimPrefix(where+"."+name, ".")
			masked.Members = append(masked.Members, document.Member{
				Name:  name,
				Value: s.value(member.Value, member.Name, inside),
			})
		}
	case document.Array:
		masked.Items = nil
		for _, item := range v.Items {
			masked.Items = append(masked.Items, s.value(item, name, where+"[]"))
		}
	case document.String:
		masked.Text = s.string(v.Text, name, "body "+where)
	case document.Number:
		if !numbers[name] {
			masked.Text = "0"
		}
	}
	return &masked
}

// memberNames match the names of members that Microsoft's documents use. Any other may be a value,
// such as the ID of a group.
var memberNames = regexp.MustCompile(`^[@A-Za-z_$][\w.@#$-]{0,80}$`)

func memberName(name string) string {
	if memberNames.MatchString(name) && !guids.MatchString(name) && !emails.MatchString(name) {
		return name
	}
	return "[member]"
}

// string masks a text of a JSON answer.
func (s *scope) string(text, name, where string) string {
	switch {
	case text == "" || isMask(text):
		return text
	case name == "scope" || name == "scp":
		return s.scopes(text, where)
	case name == "error" || name == "code" && strings.HasPrefix(where, "body error."):
		return s.text(text, where)
	case numbers[name] && digits.MatchString(text):
		return text
	case members[name]:
		return s.text(text, where)
	case isGUID(text):
		return s.place("guid", text, where)
	case stamps.MatchString(text), seconds.MatchString(text):
		return s.place("time", text, where)
	}
	return s.repeated("secret", text, where)
}

// tokens masks the JWTs of an answer, by the name of their member.
func (s *scope) tokens(body *document.Value) map[string]recording.Token {
	var tokens map[string]recording.Token
	for _, member := range body.Members {
		token, isToken := s.token(member)
		if isToken && tokens == nil {
			tokens = map[string]recording.Token{}
		}
		if isToken {
			tokens[member.Name] = token
		}
	}
	return tokens
}

// page masks a page. It keeps what scripts read.
func (s *scope) page(text string) *recording.Page {
	page := &recording.Page{}
	if match := pageID.FindStringSubmatch(text); match != nil {
		page.ID = match[1]
	}
	match := pageConfig.FindStringSubmatch(text)
	if match == nil {
		return page
	}
	config, err := document.Parse([]byte(match[1]))
	if err != nil {
		return page
	}
	kept := &document.Value{Kind: document.Object}
	for _, member := range config.Members {
		if configMembers[member.Name] {
			kept.Members = append(kept.Members, document.Member{
				Name:  member.Name,
				Value: s.value(member.Value, member.Name, "$Config."+member.Name),
			})
		}
	}
	page.Config = kept
	return page
}

var (
	pageID = regexp.MustCompile(`<meta name="PageID" content="(\w{1,40})"`)
	// pageConfig matches the script variable of a page, which stands on one line.
	pageConfig = regexp.MustCompile(`(?s)\$Config\s*=\s*(\{.*?\});\s*(?://|</script>)`)
	// configMembers are the members of the script variable that describe an error. Entra ID has
	// hundreds of others.
	configMembers = set(
		"strMainMessage", "strServiceExceptionMessage", "iHttpErrorCode", "iErrorCode", "sErrorCode", "correlationId",
		"sessionId",
	)
)
