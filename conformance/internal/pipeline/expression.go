package pipeline

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/rhysd/actionlint"
)

// placeholder matches an expression of GitHub inside a text.
var placeholder = regexp.MustCompile(`(?s)\$\{\{(.*?)\}\}`)

// A scope holds the values that an expression can name, by their path, for example "inputs.level".
// Names of other values are empty, as at GitHub.
type scope struct {
	values map[string]string
	failed bool // a step before has failed
}

// text returns a text with its expressions replaced.
func (s scope) text(source string) (string, error) {
	var failure error
	text := placeholder.ReplaceAllStringFunc(source, func(found string) string {
		value, err := s.value(placeholder.FindStringSubmatch(found)[1])
		failure = errors.Join(failure, err)
		return toText(value)
	})
	return text, failure
}

// holds evaluates the condition of a step. A condition without a function about the status also
// wants that no step has failed.
func (s scope) holds(condition string) (bool, error) {
	if found := placeholder.FindStringSubmatch(condition); found != nil {
		condition = found[1]
	}
	if condition == "" {
		return !s.failed, nil
	}
	value, err := s.value(condition)
	if err != nil {
		return false, err
	}
	asksStatus := regexp.MustCompile(`\b(always|success|failure|cancelled)\(`).MatchString(condition)
	return toBool(value) && (asksStatus || !s.failed), nil
}

// value evaluates an expression to a string or a bool.
func (s scope) value(source string) (any, error) {
	node, failure := actionlint.NewExprParser().Parse(actionlint.NewExprLexer(source + "}}"))
	if failure != nil {
		return nil, fmt.Errorf("expression %q: %w", strings.TrimSpace(source), failure)
	}
	value, err := s.evaluate(node)
	if err != nil {
		return nil, fmt.Errorf("expression %q: %w", strings.TrimSpace(source), err)
	}
	return value, nil
}

func (s scope) evaluate(node actionlint.ExprNode) (any, error) {
	switch node := node.(type) {
	case *actionlint.StringNode:
		return node.Value, nil
	case *actionlint.BoolNode:
		return node.Value, nil
	case *actionlint.ObjectDerefNode:
		path, err := pathOf(node)
		return s.values[path], err
	case *actionlint.NotOpNode:
		value, err := s.evaluate(node.Operand)
		return !toBool(value), err
	case *actionlint.FuncCallNode:
		return s.call(node)
	case *actionlint.CompareOpNode:
		return s.compare(node)
	case *actionlint.LogicalOpNode:
		left, err := s.evaluate(node.Left)
		isAnd := node.Kind == actionlint.LogicalOpNodeKindAnd
		if err != nil || toBool(left) != isAnd {
			return left, err
		}
		return s.evaluate(node.Right)
	}
	return nil, fmt.Errorf("want an operator that this package knows, got %T", node)
}

func (s scope) call(node *actionlint.FuncCallNode) (any, error) {
	switch node.Callee {
	case "always":
		return true, nil
	case "success":
		return !s.failed, nil
	case "failure":
		return s.failed, nil
	case "cancelled":
		return false, nil
	}
	return nil, fmt.Errorf("want a function about the status, got %s", node.Callee)
}

// compare compares as texts, without regard to case, as GitHub compares strings.
func (s scope) compare(node *actionlint.CompareOpNode) (any, error) {
	left, err := s.evaluate(node.Left)
	if err != nil {
		return nil, err
	}
	right, err := s.evaluate(node.Right)
	if err != nil {
		return nil, err
	}
	isEqual := strings.EqualFold(toText(left), toText(right))
	switch node.Kind {
	case actionlint.CompareOpNodeKindEq:
		return isEqual, nil
	case actionlint.CompareOpNodeKindNotEq:
		return !isEqual, nil
	}
	return nil, fmt.Errorf("want == or !=, got %s", node.Kind)
}

// pathOf returns the names of a value, separated by points.
func pathOf(node actionlint.ExprNode) (string, error) {
	switch node := node.(type) {
	case *actionlint.VariableNode:
		return node.Name, nil
	case *actionlint.ObjectDerefNode:
		before, err := pathOf(node.Receiver)
		return before + "." + node.Property, err
	}
	return "", fmt.Errorf("want a name, got %T", node)
}

func toText(value any) string {
	if value == nil {
		return ""
	}
	return fmt.Sprint(value)
}

func toBool(value any) bool {
	text, isText := value.(string)
	return isText && text != "" || value == true
}
