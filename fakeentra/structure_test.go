package fakeentra_test

import (
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// maxMethods bounds the methods of Fake. A new rule belongs in a package below internal, where it
// can be tested without a Fake.
const maxMethods = 115

func TestFakeStaysSmall(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	methods := 0
	for _, name := range files {
		file, err := parser.ParseFile(gotoken.NewFileSet(), name, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, declaration := range file.Decls {
			function, isFunction := declaration.(*ast.FuncDecl)
			if isFunction && function.Recv != nil && isFake(function.Recv.List[0].Type) {
				methods++
			}
		}
	}
	assert.LessOrEqual(t, methods, maxMethods)
	assert.Greater(t, methods, maxMethods/2, "the test no longer finds the methods")
}

func isFake(receiver ast.Expr) bool {
	if pointer, isPointer := receiver.(*ast.StarExpr); isPointer {
		receiver = pointer.X
	}
	name, isName := receiver.(*ast.Ident)
	return isName && name.Name == "Fake"
}
