package conformance_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"math"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The rules of .github/CONTRIBUTING.md about language, width and density.

const (
	codeColumns  = 120
	proseColumns = 100
	tabColumns   = 4
	// conditionOperands is how many comparisons a condition may join before it needs a name.
	conditionOperands = 4
	// tableFuncLines is how many lines the body of a function in a table may have.
	tableFuncLines = 3
)

// tiring are words and phrases that make a sentence hard to read. CONTRIBUTING.md has the rules
// behind them.
var tiring = regexp.MustCompile(`(?i)\b(` + strings.Join([]string{
	`whoever`,
	`whom`,
	`whomever`,
	`that of`,
	`those of`,
	`of which`,
	`such`,
	`but for`,
	`as far as`,
	`is none`,
	`are none`,
	`for ever`,
	`by turns`,
	`had from`,
	`let in`,
	`somebody`,
	`nobody`,
	`anybody`,
	`everybody`,
	`is told`,
	`are told`,
	`hears? of`,
	`stands for`,
	`stands? in`,
	`what is`,
	`what has`,
	`what comes`,
	`is no`,
	`is away`,
	`all the same`,
	`what it is worth`,
}, "|") + `)\b`)

// fine are phrases of plain English that hold a tiring one.
var fine = regexp.MustCompile(`(?i)\b(there is no|there is none|is no longer|is no more than|such as)\b`)

// A complaint is a line that breaks a rule.
type complaint struct {
	file string
	line int
	text string
}

func (c complaint) String() string { return fmt.Sprintf("%s:%d: %s", c.file, c.line, c.text) }

func TestCodeFollowsStyle(t *testing.T) {
	t.Parallel()
	for _, name := range tracked(t, "*.go") {
		source := readText(t, filepath.Join("..", name))
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, name, source, parser.ParseComments)
		require.NoError(t, err)
		s := &style{fset: fset, name: name}
		s.widths(source, file)
		s.words(file)
		s.density(file)
		s.testNames(file)
		for _, c := range s.complaints {
			t.Error(c)
		}
	}
}

func TestProseFollowsStyle(t *testing.T) {
	t.Parallel()
	names := append(tracked(t, "*.md"), tracked(t, "*.html")...)
	for _, name := range append(names, ".env.example") {
		fenced := false
		for i, line := range strings.Split(readText(t, filepath.Join("..", name)), "\n") {
			if strings.HasPrefix(strings.TrimSpace(line), "```") {
				fenced = !fenced
			}
			if fenced {
				continue
			}
			word := tiring.FindString(fine.ReplaceAllString(line, ""))
			if word != "" && name != ".github/CONTRIBUTING.md" {
				t.Errorf("%s:%d: replace %q: %s", name, i+1, word, line)
			}
			if isTable := strings.HasPrefix(line, "|"); path.Ext(name) == ".md" && !isTable {
				assert.LessOrEqual(t, columns(line), proseColumns, "%s:%d", name, i+1)
			}
		}
	}
}

func tracked(t *testing.T, pattern string) []string {
	t.Helper()
	list := exec.Command("git", "ls-files", pattern)
	list.Dir = ".."
	out, err := list.Output()
	if err != nil {
		t.Skip("git does not list the files here:", err)
	}
	return strings.Fields(string(out))
}

func columns(line string) int {
	return len([]rune(strings.ReplaceAll(line, "\t", strings.Repeat(" ", tabColumns))))
}

// style collects the complaints about one file.
type style struct {
	fset       *token.FileSet
	name       string
	complaints []complaint
}

func (s *style) complain(at token.Pos, format string, a ...any) {
	s.complaints = append(s.complaints, complaint{s.name, s.fset.Position(at).Line, fmt.Sprintf(format, a...)})
}

func (s *style) line(at token.Pos) int { return s.fset.Position(at).Line }

func (s *style) widths(source string, file *ast.File) {
	limits := map[int]int{}
	for _, group := range file.Comments {
		limit := proseColumns
		if strings.Contains(group.Text(), "Output:") { // an example's output is as wide as it is
			limit = math.MaxInt
		}
		for line := s.line(group.Pos()); line <= s.line(group.End()); line++ {
			limits[line] = limit
		}
	}
	for i, line := range strings.Split(source, "\n") {
		limit := codeColumns
		if strings.HasPrefix(strings.TrimSpace(line), "//") {
			limit = limits[i+1]
		}
		if isDirective := strings.HasPrefix(line, "//go:"); columns(line) > limit && !isDirective {
			s.complaints = append(s.complaints, complaint{
				file: s.name,
				line: i + 1,
				text: fmt.Sprintf("%d columns; at most %d", columns(line), limit),
			})
		}
	}
}

// words looks for tiring words in comments and string literals.
func (s *style) words(file *ast.File) {
	if s.name == "conformance/style_test.go" {
		return
	}
	for _, group := range file.Comments {
		// A phrase can be broken over two lines.
		text := strings.Join(strings.Fields(group.Text()), " ")
		for _, word := range tiring.FindAllString(fine.ReplaceAllString(text, ""), -1) {
			s.complain(group.Pos(), "replace %q in the comment", word)
		}
	}
	ast.Inspect(file, func(node ast.Node) bool {
		if literal, ok := node.(*ast.BasicLit); ok && literal.Kind == token.STRING {
			text, err := strconv.Unquote(literal.Value)
			if word := tiring.FindString(fine.ReplaceAllString(text, "")); err == nil && word != "" {
				s.complain(literal.Pos(), "replace %q in the string", word)
			}
		}
		return true
	})
}

// density looks for statements and literals that put too much on one line.
func (s *style) density(file *ast.File) {
	ast.PreorderStack(file, nil, func(node ast.Node, around []ast.Node) bool {
		switch node := node.(type) {
		case *ast.AssignStmt:
			if isStatement(around) {
				s.assignment(node)
			}
		case *ast.IfStmt:
			s.condition(node)
		case *ast.CompositeLit:
			s.literal(node)
		case *ast.FuncLit:
			s.tableFunc(node, around)
		}
		return true
	})
}

// isStatement reports whether the innermost node holds statements. The headers of for, if and
// switch do not.
func isStatement(around []ast.Node) bool {
	switch around[len(around)-1].(type) {
	case *ast.BlockStmt, *ast.CaseClause, *ast.CommClause:
		return true
	}
	return false
}

func (s *style) assignment(node *ast.AssignStmt) {
	if len(node.Lhs) > 1 && len(node.Lhs) == len(node.Rhs) && !isSwap(node) {
		s.complain(node.Pos(), "one assignment per line")
	}
}

// isSwap reports whether a value reads a variable that the statement assigns.
func isSwap(node *ast.AssignStmt) bool {
	read := map[string]bool{}
	for _, value := range node.Rhs {
		ast.Inspect(value, func(part ast.Node) bool {
			if expression, ok := part.(ast.Expr); ok {
				read[types.ExprString(expression)] = true
			}
			return true
		})
	}
	return slices.ContainsFunc(node.Lhs, func(target ast.Expr) bool { return read[types.ExprString(target)] })
}

func (s *style) condition(node *ast.IfStmt) {
	switch init := node.Init.(type) {
	case *ast.ExprStmt, *ast.IncDecStmt:
		s.complain(node.Pos(), "a condition only compares; put the call before it")
	case *ast.AssignStmt:
		if init.Tok == token.DEFINE {
			break
		}
		for _, target := range init.Lhs {
			if _, ok := target.(*ast.SelectorExpr); ok {
				s.complain(node.Pos(), "a condition only compares; put the assignment before it")
			}
		}
	}
	if n := operands(node.Cond); n > conditionOperands {
		s.complain(node.Cond.Pos(), "a condition of %d operands; name the predicate", n)
	}
}

func operands(condition ast.Expr) int {
	switch node := condition.(type) {
	case *ast.ParenExpr:
		return operands(node.X)
	case *ast.UnaryExpr:
		return operands(node.X)
	case *ast.BinaryExpr:
		if node.Op == token.LAND || node.Op == token.LOR {
			return operands(node.X) + operands(node.Y)
		}
	}
	return 1
}

func (s *style) literal(node *ast.CompositeLit) {
	if s.line(node.Lbrace) == s.line(node.Rbrace) {
		return
	}
	last := 0
	for _, element := range node.Elts {
		field, ok := element.(*ast.KeyValueExpr)
		if !ok {
			return
		}
		if line := s.line(field.Pos()); line == last {
			s.complain(field.Pos(), "one field per line")
			return
		} else {
			last = line
		}
	}
}

// tableFunc wants functions in tables short. A table is a literal of a slice or a map.
func (s *style) tableFunc(node *ast.FuncLit, around []ast.Node) {
	lines := s.line(node.Body.Rbrace) - s.line(node.Body.Lbrace) - 1
	if lines <= tableFuncLines {
		return
	}
	for _, outer := range slices.Backward(around) {
		switch outer := outer.(type) {
		case *ast.FuncLit, *ast.FuncDecl, *ast.CallExpr:
			return
		case *ast.CompositeLit:
			switch outer.Type.(type) {
			case *ast.ArrayType, *ast.MapType:
				s.complain(node.Pos(), "a function of %d lines in a table; give it a name", lines)
				return
			}
		}
	}
}

var startsWithArticle = regexp.MustCompile(`^(Test|Benchmark|Fuzz)(An?|The)([A-Z]|$)`)

// testNames wants tests to begin with a subject.
func (s *style) testNames(file *ast.File) {
	if !strings.HasSuffix(s.name, "_test.go") {
		return
	}
	for _, decl := range file.Decls {
		if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil && startsWithArticle.MatchString(f.Name.Name) {
			s.complain(f.Pos(), "%s begins with an article", f.Name.Name)
		}
	}
}
