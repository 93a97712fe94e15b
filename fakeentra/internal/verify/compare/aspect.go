package compare

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"mcpentra/fakeentra/internal/verify/document"
	"mcpentra/fakeentra/internal/verify/recording"
)

// A pair is a value of an aspect. Aspects of a whole body have one for each member.
type pair struct{ key, value string }

func find(pairs []pair, key string) (pair, bool) {
	i := slices.IndexFunc(pairs, func(p pair) bool { return p.key == key })
	if i < 0 {
		return pair{}, false
	}
	return pairs[i], true
}

func join(pairs []pair) string {
	var texts []string
	for _, one := range pairs {
		if one.key == "" {
			texts = append(texts, one.value)
		} else {
			texts = append(texts, one.key+": "+one.value)
		}
	}
	return strings.Join(texts, "; ")
}

// extract returns the values of an aspect. The second result names the missing part of an answer
// that has none.
func extract(aspect string, answer *recording.Exchange) ([]pair, string) {
	kind, argument, _ := strings.Cut(aspect, " ")
	switch kind {
	case "status":
		return one(strconv.Itoa(answer.Status)), ""
	case "header":
		if value, found := answer.Header[argument]; found {
			return one(value), ""
		}
		return one("absent"), ""
	case "members":
		return members(answer.Body, argument)
	case "types":
		return types(answer.Body)
	case "values", "value":
		return values(answer.Body, argument)
	case "text":
		text, found := sentence(answer)
		return present(text, found, "error text")
	case "page":
		if answer.Page == nil {
			return nil, "page"
		}
		return one(answer.Page.ID), ""
	case "number":
		if number := Number(answer); number != 0 {
			return one(strconv.Itoa(number)), ""
		}
		return nil, "AADSTS number"
	case "redirect":
		return redirect(answer)
	}
	return tokenAspect(kind, argument, answer)
}

// tokenAspect returns the values of an aspect of a token, or of the lifetime in the body.
func tokenAspect(kind, argument string, answer *recording.Exchange) ([]pair, string) {
	name, claim, _ := strings.Cut(argument, " ")
	if kind == "token" { // "token header NAME"
		name = claim
	}
	token, found := answer.Tokens[name]
	if kind == "lifetime" || kind == "range" {
		return lifetime(kind, name, answer)
	}
	if !found {
		return nil, strings.ReplaceAll(name, "_", " ") + " that is a JWT"
	}
	switch kind {
	case "token":
		return one(strings.Join(slices.Sorted(slices.Values(token.Header.Names())), ", ")), ""
	case "claims":
		return one(strings.Join(slices.Sorted(slices.Values(token.Claims.Names())), ", ")), ""
	}
	value := token.Claims.Member(claim)
	if value == nil {
		return nil, "claim " + claim
	}
	return one(flat(value)), ""
}

func one(value string) []pair { return []pair{{"", value}} }

func present(text string, found bool, name string) ([]pair, string) {
	if !found {
		return nil, name
	}
	return one(text), ""
}

// members returns the names of the members at a path, in the order of the wire.
func members(body *document.Value, path string) ([]pair, string) {
	for _, name := range strings.FieldsFunc(path, func(r rune) bool { return r == '.' }) {
		plain, isArray := strings.CutSuffix(name, "[]")
		body = body.Member(plain)
		if isArray && body != nil && len(body.Items) > 0 {
			body = body.Items[0]
		}
	}
	if body == nil || body.Kind != document.Object {
		return nil, strings.TrimSpace("JSON object " + path)
	}
	return one(strings.Join(body.Names(), ", ")), ""
}

// types returns the type of each member. Null fits every type, so it is left out.
func types(body *document.Value) ([]pair, string) {
	var all []pair
	walk(body, "", func(path string, v *document.Value) {
		if _, found := find(all, path); !found && path != "" && v.Kind != document.Null {
			all = append(all, pair{path, string(v.Kind)})
		}
	})
	if len(all) == 0 {
		return nil, "JSON object"
	}
	return all, ""
}

// apart are the members with aspects of their own. The aspect values leaves them out.
var apart = []string{"issuer", "error", "error_description", "error_codes[]", "expires_in", "ext_expires_in"}

// values returns the values of the members, or of one of them.
func values(body *document.Value, only string) ([]pair, string) {
	var all []pair
	walk(body, "", func(path string, v *document.Value) {
		isContainer := v.Kind == document.Object || v.Kind == document.Array
		isWanted := only == "" && !slices.Contains(apart, path) && !isSentence(path) || only != "" && path == only
		if isContainer || !isWanted {
			return
		}
		i := slices.IndexFunc(all, func(p pair) bool { return p.key == path })
		switch {
		case i < 0:
			all = append(all, pair{path, flat(v)})
		case !slices.Contains(strings.Split(all[i].value, ", "), flat(v)):
			all[i].value += ", " + flat(v)
		}
	})
	if len(all) == 0 {
		return nil, strings.TrimSpace("member " + only)
	}
	for i := range all {
		if strings.Contains(all[i].key, "[].") { // the order of objects means nothing
			parts := slices.Sorted(slices.Values(strings.Split(all[i].value, ", ")))
			all[i].value = strings.Join(parts, ", ")
		}
	}
	return all, ""
}

// isSentence reports whether a member holds the sentence of an error, which has its own aspect.
func isSentence(path string) bool { return path == "error.message" }

func walk(v *document.Value, path string, visit func(path string, v *document.Value)) {
	if v == nil {
		return
	}
	visit(path, v)
	for _, member := range v.Members {
		walk(member.Value, strings.TrimPrefix(path+"."+member.Name, "."), visit)
	}
	for _, item := range v.Items {
		walk(item, path+"[]", visit)
	}
}

// flat writes a value in one line.
func flat(v *document.Value) string {
	switch v.Kind {
	case document.String, document.Number, document.Boolean:
		return strings.ReplaceAll(v.Text, "\n", `\n`)
	}
	text, err := v.MarshalJSON()
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// sentence returns the error text of an answer: of a JSON body, a page or a redirect.
func sentence(answer *recording.Exchange) (string, bool) {
	if answer.Page != nil && answer.Page.Config != nil {
		if text := answer.Page.Config.Member("strServiceExceptionMessage"); text != nil {
			return flat(text), true
		}
	}
	for _, text := range []*document.Value{
		answer.Body.Member("error_description"),
		answer.Body.Member("error").Member("message"),
	} {
		if text != nil {
			return flat(text), true
		}
	}
	_, after, found := strings.Cut(answer.Header["Location"], "error_description=")
	text, _, _ := strings.Cut(after, "&")
	return strings.TrimSuffix(text, "#"), found
}

// redirect returns the names of the parameters of a redirect in the order of the wire, and the
// error.
func redirect(answer *recording.Exchange) ([]pair, string) {
	location, found := answer.Header["Location"]
	if !found {
		return nil, "redirect"
	}
	target, query, _ := strings.Cut(location, "?")
	query, fragment, hasFragment := strings.Cut(query, "#")
	var names []string
	failure := ""
	for part := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(part, "=")
		names = append(names, name)
		if name == "error" {
			failure = value
		}
	}
	text := strings.Join(names, ", ")
	if hasFragment {
		text += fmt.Sprintf(" #%s", fragment)
	}
	if plain, err := url.QueryUnescape(target); err == nil {
		target = plain
	}
	return []pair{{"target", target}, {"parameters", text}, {"error", failure}}, ""
}

// Lifetimes in seconds.
const (
	shortest  = 3599 // of delegated tokens, which live at random between these two
	longest   = 5399
	backdated = 301 // seconds from iat to the time of the answer, and the second that expires_in lacks
	hour      = 3600
)

// lifetime returns the lifetime in the body, or of a token from iat to exp. A range is the name of
// the rule in place of the number.
func lifetime(kind, name string, answer *recording.Exchange) ([]pair, string) {
	value := answer.Body.Member(name)
	added := 0
	if token, isToken := answer.Tokens[name]; isToken {
		value = token.Claims.Member("exp")
		added = backdated
	}
	if value == nil {
		return nil, strings.ReplaceAll(name, "_", " ")
	}
	seconds, err := strconv.Atoi(value.Text)
	switch {
	case err != nil:
		return nil, name + " in seconds"
	case kind == "range" && seconds-added >= shortest && seconds-added <= longest:
		return one(fmt.Sprintf("%d to %d", shortest+added, longest+added)), ""
	case kind == "range" && seconds-added >= 20*hour && seconds-added <= 28*hour:
		return one("20 to 28 hours"), ""
	}
	return one(strconv.Itoa(seconds)), ""
}
