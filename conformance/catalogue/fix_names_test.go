package catalogue_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"mcpentra/conformance/catalogue"
	"mcpentra/testdata/interop/foreign"
)

// packagesOf has the packages that a prefix of a name in the advice for Go can mean. Names of this
// module have the whole path.
var packagesOf = map[string][]string{
	"client":    {"github.com/mark3labs/mcp-go/client"},
	"transport": {"github.com/mark3labs/mcp-go/client/transport"},
	"server":    {"github.com/mark3labs/mcp-go/server"},
	"mcp":       {"github.com/mark3labs/mcp-go/mcp", "github.com/modelcontextprotocol/go-sdk/mcp"},

	"auth":       {"github.com/modelcontextprotocol/go-sdk/auth"},
	"extauth":    {"github.com/modelcontextprotocol/go-sdk/auth/extauth"},
	"oauthex":    {"github.com/modelcontextprotocol/go-sdk/oauthex"},
	"jsonschema": {"github.com/google/jsonschema-go/jsonschema"},

	"fosite":  {"github.com/ory/fosite"},
	"compose": {"github.com/ory/fosite/compose"},
	"oauth2":  {"golang.org/x/oauth2", "github.com/ory/fosite/handler/oauth2"},

	"exec": {"os/exec"},
	"http": {"net/http"},
	"net":  {"net"},
	"os":   {"os"},
	"rand": {"crypto/rand"},
	"tls":  {"crypto/tls"},
	"url":  {"net/url"},
}

// foreignModules has the folder of a module of testdata/interop that requires a package which this
// module does not.
var foreignModules = map[string]string{
	"github.com/google/":               "goservers",
	"github.com/modelcontextprotocol/": "goservers",
	"github.com/ory/":                  "goissuers",
}

var (
	quoted = regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch
	// goName is a name with its package, and perhaps the method or field of a type.
	goName     = regexp.MustCompile(`^((?:mcpentra/)?[a-z0-9/]+)\.([A-Z]\w*)(\.[A-Z]\w*)?$`).FindStringSubmatch
	isExported = regexp.MustCompile(`^[A-Z]\w*$`).MatchString
)

// TestFixNamesExistInGo looks for each Go name of the advice whose package this module requires.
func TestFixNamesExistInGo(t *testing.T) {
	t.Parallel()
	lookUpGoNames(t, false)
}

// TestInteropFixNamesExistInGo looks for the names of the other packages, too.
func TestInteropFixNamesExistInGo(t *testing.T) {
	t.Parallel()
	foreign.SkipUnlessInterop(t)
	lookUpGoNames(t, true)
}

// lookUpGoNames looks for the Go names of all advice. A name without a package is a member of a
// type that the same advice names.
func lookUpGoNames(t *testing.T, withForeign bool) {
	t.Helper()
	folders := foldersOf(t, withForeign)
	packages := map[string]map[string]bool{}
	for topic, fix := range catalogue.Fixes() {
		for _, advice := range fix.For(catalogue.MCPGo, catalogue.GoSDK) {
			var short, members []string
			isComplete := true
			for _, span := range quoted(advice.Text, -1) {
				name := goName(span[1])
				if name == nil {
					short = append(short, span[1])
					continue
				}
				paths := pathsOf(name[1], advice)
				require.NotEmpty(t, paths, "%s: the package of %s is in no list", topic, span[1])
				if !withForeign && slices.ContainsFunc(paths, isForeign) {
					isComplete = false
					continue
				}
				found := false
				for _, path := range paths {
					if packages[path] == nil {
						require.NotEmpty(t, folders[path], "%s: there is no package %s", topic, path)
						packages[path] = declaredIn(t, folders[path])
					}
					found = found || packages[path][name[2]+name[3]]
					for declared := range packages[path] {
						if member, isMember := strings.CutPrefix(declared, name[2]+"."); isMember {
							members = append(members, member)
						}
					}
				}
				assert.True(t, found, "%s: %s is not declared in %v", topic, span[1], paths)
			}
			for _, name := range short {
				isKnown := !isComplete || !isExported(name) || slices.Contains(members, name)
				assert.True(t, isKnown, "%s: no type that the advice names has the member %s", topic, name)
			}
		}
	}
	assert.NotEmpty(t, packages)
}

// pathsOf returns the packages that the prefix of a name can mean in some advice.
func pathsOf(prefix string, advice catalogue.Advice) []string {
	if strings.HasPrefix(prefix, "mcpentra/") {
		return []string{prefix}
	}
	isOther := func(path string) bool {
		return !slices.Contains(advice.SDKs, catalogue.MCPGo) && strings.Contains(path, "/mcp-go/") ||
			!slices.Contains(advice.SDKs, catalogue.GoSDK) && strings.Contains(path, "/go-sdk/")
	}
	return slices.DeleteFunc(slices.Clone(packagesOf[prefix]), isOther)
}

// moduleOf returns the module of testdata/interop that requires a package. It is empty if this
// module does.
func moduleOf(path string) string {
	for prefix, module := range foreignModules {
		if strings.HasPrefix(path, prefix) {
			return module
		}
	}
	return ""
}

func isForeign(path string) bool { return moduleOf(path) != "" }

// declaredIn returns the names that the package in a folder declares, and the methods and fields of
// its types.
func declaredIn(t *testing.T, folder string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	require.NoError(t, err)
	names := map[string]bool{}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, declaration := range parsed.Decls {
			addNames(names, declaration)
		}
	}
	return names
}

// foldersOf returns the folders of the packages that packagesOf names, and of this module's.
func foldersOf(t *testing.T, withForeign bool) map[string]string {
	t.Helper()
	modules := map[string][]string{"": {"mcpentra/client/...", "mcpentra/server/..."}}
	for _, paths := range packagesOf {
		for _, path := range paths {
			if withForeign || !isForeign(path) {
				modules[moduleOf(path)] = append(modules[moduleOf(path)], path)
			}
		}
	}
	folders := map[string]string{}
	for module, paths := range modules {
		arguments := append([]string{"list", "-f", "{{.ImportPath}} {{.Dir}}"}, paths...)
		command := exec.CommandContext(t.Context(), "go", arguments...)
		if module != "" {
			command.Dir = filepath.Join("../../testdata/interop", module)
		}
		var problem bytes.Buffer
		command.Stderr = &problem
		out, err := command.Output()
		require.NoError(t, err, "%s: %s", paths, &problem)
		for line := range strings.Lines(string(out)) {
			path, folder, _ := strings.Cut(strings.TrimSpace(line), " ")
			folders[path] = folder
		}
	}
	return folders
}

// addNames adds what a declaration declares.
func addNames(names map[string]bool, declaration ast.Decl) {
	switch declaration := declaration.(type) {
	case *ast.FuncDecl:
		if declaration.Recv == nil {
			names[declaration.Name.Name] = true
			return
		}
		receiver := declaration.Recv.List[0].Type
		if pointer, isPointer := receiver.(*ast.StarExpr); isPointer {
			receiver = pointer.X
		}
		if of, isName := receiver.(*ast.Ident); isName {
			names[of.Name+"."+declaration.Name.Name] = true
		}
	case *ast.GenDecl:
		for _, spec := range declaration.Specs {
			switch spec := spec.(type) {
			case *ast.ValueSpec:
				for _, name := range spec.Names {
					names[name.Name] = true
				}
			case *ast.TypeSpec:
				names[spec.Name.Name] = true
				for _, member := range membersOf(spec.Type) {
					names[spec.Name.Name+"."+member] = true
				}
			}
		}
	}
}

// membersOf returns the fields of a struct, or the methods of an interface.
func membersOf(expression ast.Expr) []string {
	var list *ast.FieldList
	switch expression := expression.(type) {
	case *ast.StructType:
		list = expression.Fields
	case *ast.InterfaceType:
		list = expression.Methods
	default:
		return nil
	}
	var names []string
	for _, field := range list.List {
		for _, name := range field.Names {
			names = append(names, name.Name)
		}
	}
	return names
}
