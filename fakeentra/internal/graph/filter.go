package graph

import (
	"fmt"
	"strings"
)

// Bounds of $filter.
const (
	maxFilter      = 4096 // bytes
	maxFilterDepth = 20
	maxClauses     = 15 // Graph's own limit
)

// A predicate decides whether an entity passes a filter.
type predicate func(*entity) bool

// A filter is a parsed $filter.
type filter struct {
	passes predicate
	// advanced is the first operator that Graph accepts only in an advanced query, or empty.
	advanced string
}

// A filterParser parses a $filter by recursive descent: or, and, not, comparison.
type filterParser struct {
	words    []string // a text keeps its quote at the start
	next     int
	depth    int
	clauses  int
	samples  []entity // the types of the collection
	advanced string
}

// parseFilter parses a $filter for a collection with entities like the samples. Graph has no other
// way to say what it does not support than 400.
func parseFilter(source string, samples ...entity) (*filter, *problem) {
	if len(source) > maxFilter {
		return nil, badRequest("Invalid filter clause: it has more than %d characters.", maxFilter)
	}
	words, wrong := splitFilter(source)
	if wrong != nil {
		return nil, wrong
	}
	p := &filterParser{words: words, samples: samples}
	passes, wrong := p.or()
	switch {
	case wrong != nil:
		return nil, wrong
	case p.next < len(p.words):
		return nil, badRequest("Invalid filter clause: unexpected %s.", strings.Trim(p.words[p.next], "'"))
	}
	return &filter{passes: passes, advanced: p.advanced}, nil
}

// splitFilter splits a $filter into names, texts, parentheses and commas.
func splitFilter(source string) ([]string, *problem) {
	var words []string
	for source = strings.TrimSpace(source); source != ""; source = strings.TrimSpace(source) {
		switch {
		case strings.ContainsAny(source[:1], "(),"):
			words = append(words, source[:1])
			source = source[1:]
		case source[0] == '\'':
			value, rest, isClosed := cutQuoted(source[1:])
			if !isClosed {
				return nil, badRequest("Invalid filter clause: There is an unterminated string literal.")
			}
			words = append(words, "'"+value)
			source = rest
		default:
			end := strings.IndexAny(source, " \t(),'")
			if end < 0 {
				end = len(source)
			}
			words = append(words, source[:end])
			source = source[end:]
		}
	}
	return words, nil
}

// cutQuoted cuts a text after its closing quote. Two quotes stand for one.
func cutQuoted(source string) (value, rest string, isClosed bool) {
	for {
		part, after, found := strings.Cut(source, "'")
		value += part
		if !found {
			return "", "", false
		}
		if !strings.HasPrefix(after, "'") {
			return value, after, true
		}
		value += "'"
		source = after[1:]
	}
}

// take consumes the next word if it is one of the words, in any case.
func (p *filterParser) take(words ...string) bool {
	if p.next == len(p.words) {
		return false
	}
	for _, word := range words {
		if strings.EqualFold(p.words[p.next], word) {
			p.next++
			return true
		}
	}
	return false
}

// word consumes the next word, or returns nothing at the end.
func (p *filterParser) word() string {
	if p.next == len(p.words) {
		return ""
	}
	p.next++
	return p.words[p.next-1]
}

func (p *filterParser) or() (predicate, *problem) {
	left, wrong := p.and()
	for wrong == nil && p.take("or") {
		var right predicate
		first := left
		right, wrong = p.and()
		left = func(e *entity) bool { return first(e) || right(e) }
	}
	return left, wrong
}

func (p *filterParser) and() (predicate, *problem) {
	left, wrong := p.not()
	for wrong == nil && p.take("and") {
		var right predicate
		first := left
		right, wrong = p.not()
		left = func(e *entity) bool { return first(e) && right(e) }
	}
	return left, wrong
}

func (p *filterParser) not() (predicate, *problem) {
	p.depth++
	defer func() { p.depth-- }()
	if p.depth > maxFilterDepth {
		return nil, badRequest("Invalid filter clause: it is nested deeper than %d levels.", maxFilterDepth)
	}
	switch {
	case p.take("not"):
		p.needAdvanced("Not")
		inner, wrong := p.not()
		return func(e *entity) bool { return !inner(e) }, wrong
	case p.take("("):
		inner, wrong := p.or()
		if wrong == nil && !p.take(")") {
			wrong = badRequest("Invalid filter clause: ')' or operator expected.")
		}
		return inner, wrong
	}
	return p.comparison()
}

// needAdvanced notes an operator that needs an advanced query.
func (p *filterParser) needAdvanced(operator string) {
	if p.advanced == "" {
		p.advanced = operator
	}
}

// comparison parses "name operator value", "name in (values)" or "function(name,value)".
func (p *filterParser) comparison() (predicate, *problem) {
	p.clauses++
	if p.clauses > maxClauses {
		return nil, tooManyClauses(p.clauses)
	}
	name := p.word()
	if p.take("(") {
		return p.function(name)
	}
	operand, wrong := p.property(name)
	if wrong != nil {
		return nil, wrong
	}
	switch operator := p.word(); strings.ToLower(operator) {
	case "eq":
		return p.equality(operand, true)
	case "ne":
		p.needAdvanced("NotEqualsMatch")
		return p.equality(operand, false)
	case "in":
		return p.in(operand)
	case "":
		return nil, badRequest("Invalid filter clause: Syntax error: an operator is missing after '%s'.", name)
	default:
		return nil, unsupportedClause(operand, p.samples)
	}
}

// property finds a property that a filter names, among the types of the collection.
func (p *filterParser) property(name string) (*property, *problem) {
	for i := range p.samples {
		if found := p.samples[i].find(name); found != nil {
			if found.form == formList {
				return nil, unsupportedClause(found, p.samples)
			}
			return found, nil
		}
	}
	return nil, badRequest("Invalid filter clause: Could not find a property named '%s' on type 'microsoft.graph.%s'.",
		strings.TrimPrefix(name, "'"), p.samples[0].kind)
}

func tooManyClauses(n int) *problem {
	return &problem{400, "Request_UnsupportedQuery", fmt.Sprintf("Too many child clauses specified in search filter "+
		"expression containing 'OR' operators: %d. Max allowed: %d.", n, maxClauses)}
}

func unsupportedClause(operand *property, samples []entity) *problem {
	resource := string(samples[0].kind)
	return &problem{400, "Request_UnsupportedQuery", fmt.Sprintf(
		"Unsupported or invalid query filter clause specified for property '%s' of resource '%s'.",
		operand.name, strings.ToUpper(resource[:1])+resource[1:])}
}

// value parses a literal for a property: a text in quotes, true, false or null.
func (p *filterParser) value(operand *property) (any, *problem) {
	word := p.word()
	switch {
	case word == "null":
		return nil, nil
	case operand.form == formFlag && (word == "true" || word == "false"):
		return word == "true", nil
	case operand.form == formText && strings.HasPrefix(word, "'"):
		return word[1:], nil
	case word == "":
		return nil, badRequest("Invalid filter clause: Syntax error: a value is missing after '%s'.", operand.name)
	case strings.HasPrefix(word, "'") || word == "true" || word == "false":
		return nil, badRequest("Invalid filter clause: A binary operator with incompatible types was detected "+
			"for the property '%s'.", operand.name)
	}
	return nil, badRequest("Invalid filter clause: Syntax error at '%s'; want a text in single quotes.", word)
}

func (p *filterParser) equality(operand *property, want bool) (predicate, *problem) {
	value, wrong := p.value(operand)
	name := operand.name
	return func(e *entity) bool { return isEqual(e.find(name), value) == want }, wrong
}

// isEqual compares a property with a value. Graph ignores case in texts.
func isEqual(p *property, value any) bool {
	if p == nil || p.form == formList {
		return p == nil && value == nil
	}
	left, isText := p.value.(string)
	right, wantsText := value.(string)
	if isText && wantsText {
		return strings.EqualFold(left, right)
	}
	if isText || wantsText {
		return false
	}
	return p.value == value
}

func (p *filterParser) in(operand *property) (predicate, *problem) {
	if !p.take("(") {
		return nil, badRequest("Invalid filter clause: Syntax error: '(' expected after 'in'.")
	}
	var values []any
	for {
		value, wrong := p.value(operand)
		if wrong != nil {
			return nil, wrong
		}
		values = append(values, value)
		if p.take(")") {
			break
		}
		if !p.take(",") {
			return nil, badRequest("Invalid filter clause: Syntax error: ')' or ',' expected.")
		}
	}
	p.clauses += len(values) - 1
	if p.clauses > maxClauses {
		return nil, tooManyClauses(p.clauses)
	}
	name := operand.name
	return func(e *entity) bool {
		for _, value := range values {
			if isEqual(e.find(name), value) {
				return true
			}
		}
		return false
	}, nil
}

// function parses the rest of startswith(name,'text') or endswith(name,'text').
func (p *filterParser) function(name string) (predicate, *problem) {
	var matches func(value, part string) bool
	switch strings.ToLower(name) {
	case "startswith":
		matches = strings.HasPrefix
	case "endswith":
		p.needAdvanced("endsWith")
		matches = strings.HasSuffix
	default:
		return nil, badRequest("Invalid filter clause: An unknown function with name '%s' was found.", name)
	}
	operand, wrong := p.property(p.word())
	if wrong != nil {
		return nil, wrong
	}
	if operand.form != formText {
		return nil, unsupportedClause(operand, p.samples)
	}
	if !p.take(",") {
		return nil, badRequest("Invalid filter clause: Syntax error: ',' expected in '%s'.", name)
	}
	value, wrong := p.value(operand)
	if wrong != nil {
		return nil, wrong
	}
	part, isText := value.(string)
	if !isText || !p.take(")") {
		return nil, badRequest("Invalid filter clause: want a property and a text in '%s'.", name)
	}
	part = strings.ToLower(part)
	property := operand.name
	return func(e *entity) bool {
		found := e.find(property)
		if found == nil {
			return false
		}
		text, isText := found.value.(string)
		return isText && matches(strings.ToLower(text), part)
	}, nil
}
