package conformance_test

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/check"
)

// TestChecksAreInFilesOfTheirNames wants each check in the file named after the second segment of
// its ID. server/token/expired is in token.go, or in a file that begins with token_. In the checks
// of servers, files of checks for the authorization server begin with issuer_.
func TestChecksAreInFilesOfTheirNames(t *testing.T) {
	t.Parallel()
	files := map[string]string{} // by ID
	for _, folder := range []string{"servers/checks", "issuers/checks", "clients/checks"} {
		for name, syntax := range parsed(t, folder) {
			ast.Inspect(syntax, func(node ast.Node) bool {
				pair, ok := node.(*ast.KeyValueExpr)
				if !ok {
					return true
				}
				key, isName := pair.Key.(*ast.Ident)
				value, isText := pair.Value.(*ast.BasicLit)
				if isName && isText && key.Name == "ID" {
					id, err := strconv.Unquote(value.Value)
					require.NoError(t, err)
					assert.Empty(t, files[id], "%s is listed twice", id)
					files[id] = folder + "/" + name
				}
				return true
			})
		}
	}
	for _, rule := range rules() {
		name := files[rule.ID]
		want := fileOf(rule, path.Dir(name))
		assert.True(t, name == want+".go" || strings.HasPrefix(name, want+"_"),
			"%s: want it in %s.go, or in a file that begins with %s_, got %q", rule.ID, want, want, name)
	}
}

// fileOf returns the path of a check's file in a folder, without .go.
func fileOf(rule check.Rule, folder string) string {
	segments := strings.Split(rule.ID, "/")
	name := strings.ReplaceAll(segments[1], "-", "_")
	if segments[0] == "authorization-server" && folder == "servers/checks" {
		name = "issuer_" + name
	}
	return folder + "/" + name
}

// TestPublicNamesStayFew bounds the number of exported names that a newcomer reads. Methods count,
// except for the methods of error and fmt.Stringer.
func TestPublicNamesStayFew(t *testing.T) {
	t.Parallel()
	for part, most := range map[string]int{"check": 40, "servers": 80, "issuers": 80, "clients": 80} {
		var names []string
		err := filepath.WalkDir(part, func(path string, entry os.DirEntry, err error) error {
			require.NoError(t, err)
			if entry.IsDir() && entry.Name() == "internal" {
				return filepath.SkipDir
			}
			if entry.IsDir() {
				names = append(names, exportedNames(t, path)...)
			}
			return nil
		})
		require.NoError(t, err)
		assert.LessOrEqual(t, len(names), most, "%s has %d exported names: %v", part, len(names), names)
	}
}

// exportedNames returns the exported names of a package.
func exportedNames(t *testing.T, folder string) []string {
	t.Helper()
	fset := token.NewFileSet()
	var files []*ast.File
	for _, syntax := range parsedWith(t, fset, folder) {
		files = append(files, syntax)
	}
	if len(files) == 0 {
		return nil
	}
	api, err := doc.NewFromFiles(fset, files, folder)
	require.NoError(t, err)
	var names []string
	add := func(functions []*doc.Func) {
		for _, function := range functions {
			if name := function.Name; name != "Error" && name != "Unwrap" && name != "String" {
				names = append(names, folder+"."+name)
			}
		}
	}
	values := func(groups []*doc.Value) {
		for _, group := range groups {
			for _, name := range group.Names {
				if ast.IsExported(name) {
					names = append(names, folder+"."+name)
				}
			}
		}
	}
	add(api.Funcs)
	values(api.Consts)
	values(api.Vars)
	for _, kind := range api.Types {
		names = append(names, folder+"."+kind.Name)
		add(kind.Funcs)
		add(kind.Methods)
		values(kind.Consts)
		values(kind.Vars)
	}
	return names
}

// parsed parses the files of a package without its tests, by name.
func parsed(t *testing.T, folder string) map[string]*ast.File {
	t.Helper()
	return parsedWith(t, token.NewFileSet(), folder)
}

// parsedWith is parsed with a file set.
func parsedWith(t *testing.T, fset *token.FileSet, folder string) map[string]*ast.File {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(folder, "*.go"))
	require.NoError(t, err)
	files := map[string]*ast.File{}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		syntax, err := parser.ParseFile(fset, name, nil, parser.ParseComments)
		require.NoError(t, err)
		files[filepath.Base(name)] = syntax
	}
	return files
}
