package conformance_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Rules of this repository: which package may import which, that the Go code in READMEs compiles
// and the commands exist, and which files belong at the top level.

const module = "mcpentra/"

// mayImport lists, for each package, the packages of this module that its code may import. A
// trailing /... includes everything below. A package that is not listed may import none. Tests may
// import any package.
var mayImport = map[string][]string{
	"server": {"server/..."},
	"server/guard": {
		"server/clientip", "server/identity", "server/jsonrpc", "server/loopback", "server/token",
	},
	"server/entra":                 {"server/identity", "server/loopback", "server/token"},
	"server/entra/managedidentity": {"server/entra"},
	"server/broker": {
		"server/broker/...",
		"server/clientip",
		"server/entra",
		"server/identity",
		"server/loopback",
		"server/store",
		"server/token",
	},
	"server/broker/accesstoken":   {"server/identity", "server/token"},
	"server/broker/fetch":         {"server/loopback"},
	"server/store/postgres":       {"server/store"},
	"server/store/redis":          {"server/store"},
	"server/admin":                {"server/broker", "server/loopback"},
	"server/store/storetest":      {"server/store"},
	"server/internal/tools":       {"server/entra", "server/guard", "server/identity"},
	"server/upstream":             {"server/clientip", "server/guard", "server/identity", "server/jsonrpc"},
	"server/cmd/mcp-entra-server": {"server/..."},

	"client":                      {"client/..."},
	"client/discovery":            {"client/internal/printable"},
	"client/signin":               {"client/discovery", "client/internal/printable", "client/tokenrequest"},
	"client/tokenrequest":         {"client/discovery", "client/internal/printable"},
	"client/tokenstore":           {"client/tokenrequest"},
	"client/internal/console":     {"client", "client/signin"},
	"client/cmd/mcp-entra-client": {"client/..."},

	"fakeentra":           {"fakeentra/..."},
	"fakeentra/directory": {"fakeentra/fault", "fakeentra/internal/differences"},
	"fakeentra/fault":     {"fakeentra/aadsts", "fakeentra/endpoint"},
	"fakeentra/admin": {
		"fakeentra",
		"fakeentra/directory",
		"fakeentra/endpoint",
		"fakeentra/fault",
		"fakeentra/journal",
	},
	"fakeentra/journal": {"fakeentra/endpoint"},
	"fakeentra/portal": {
		"fakeentra",
		"fakeentra/admin",
		"fakeentra/directory",
		"fakeentra/endpoint",
		"fakeentra/fault",
		"fakeentra/internal/inproc",
		"fakeentra/journal",
	},
	"fakeentra/cmd/fakeentra": {"fakeentra/..."},

	"fakeentra/internal/differences": {"fakeentra/internal/verify/document"},
	"fakeentra/internal/verify": {
		"fakeentra", "fakeentra/directory", "fakeentra/useragent", "fakeentra/internal/verify/...",
	},
	"fakeentra/internal/verify/recording": {"fakeentra/internal/verify/document"},
	"fakeentra/internal/verify/mask": {
		"fakeentra/internal/verify/document", "fakeentra/internal/verify/recording",
	},
	"fakeentra/internal/verify/facts":   {"testdata/entra"},
	"fakeentra/internal/verify/compare": {"fakeentra/internal/verify/..."},
	"fakeentra/internal/verify/report":  {"fakeentra/internal/verify/compare"},
	"fakeentra/internal/verify/proxy":   {"fakeentra/internal/certificate", "fakeentra/internal/verify/..."},

	"fakeentra/internal/claims": {"fakeentra/directory", "fakeentra/internal/rules"},
	"fakeentra/internal/graph":  {"fakeentra/directory"},
	"fakeentra/internal/managedidentity": {
		"fakeentra/aadsts", "fakeentra/directory", "fakeentra/internal/rules",
	},
	"fakeentra/internal/pages": {"fakeentra/aadsts", "fakeentra/directory"},
	"fakeentra/internal/rules": {"fakeentra/aadsts", "fakeentra/directory"},
	"fakeentra/internal/state": {"fakeentra/aadsts", "fakeentra/directory", "fakeentra/internal/rules"},

	"conformance/check":     {"conformance/internal/evidence"},
	"conformance/catalogue": {"conformance/check"},
	"conformance/doctor": {
		"conformance/check",
		"conformance/doctor/aadsts",
		"conformance/doctor/clientsettings",
		"conformance/internal/exchange",
		"conformance/loopback",
	},
	"conformance/report": {"conformance/check"},
	"conformance/doctor/workstation": {
		"conformance/doctor", "conformance/internal/exchange", "conformance/loopback",
	},
	"conformance/doctor/envfile": {
		"conformance/doctor", "conformance/doctor/aadsts", "conformance/internal/exchange",
	},
	"conformance/servers": {
		"conformance/check",
		"conformance/loopback",
		"conformance/servers/checks",
		"conformance/servers/internal/bench",
		"conformance/servers/signin",
		"fakeentra",
		"fakeentra/directory",
		"fakeentra/useragent",
	},
	"conformance/servers/checks": {
		"conformance/check",
		"conformance/internal/inputs",
		"conformance/servers/internal/attack",
		"conformance/servers/internal/bench",
		"conformance/servers/internal/vocabulary",
	},
	"conformance/loopback/loopbacktest": {"conformance/loopback"},
	"conformance/servers/signin":        {"conformance/servers/internal/bench"},
	"conformance/servers/rig":           {"conformance/servers/internal/bench"},
	"conformance/internal/exchange":     {"conformance/loopback"},
	"conformance/internal/inputs":       {"conformance/check"},
	"conformance/servers/internal/attack": {
		"conformance/check",
		"conformance/internal/exchange",
		"conformance/internal/inputs",
		"conformance/servers/internal/bench",
	},
	"conformance/servers/internal/bench": {
		"conformance/check",
		"conformance/internal/evidence",
		"conformance/internal/exchange",
		"conformance/loopback",
	},
	"conformance/servers/internal/broken": {
		"conformance/check",
		"conformance/internal/exchange",
		"conformance/loopback",
		"conformance/servers/internal/bench",
	},
	"conformance/issuers": {
		"conformance/check", "conformance/issuers/checks", "conformance/issuers/internal/bench",
	},
	"conformance/issuers/checks": {
		"conformance/check",
		"conformance/internal/inputs",
		"conformance/issuers/internal/bench",
		"conformance/issuers/rig",
	},
	"conformance/issuers/internal/bench": {
		"conformance/check",
		"conformance/internal/evidence",
		"conformance/internal/exchange",
		"conformance/issuers/rig",
		"conformance/loopback",
		"fakeentra/useragent",
	},
	"conformance/issuers/internal/broken": {"conformance/issuers/internal/bench", "conformance/issuers/rig"},
	"conformance/clients": {
		"conformance/check", "conformance/clients/checks", "conformance/clients/internal/bench",
	},
	"conformance/clients/checks": {
		"conformance/check",
		"conformance/internal/exchange",
		"conformance/internal/inputs",
		"conformance/clients/internal/bench",
		"conformance/clients/internal/lab",
		"conformance/loopback",
	},
	"conformance/clients/internal/bench": {"conformance/check"},
	"conformance/clients/internal/broken": {
		"conformance/check",
		"conformance/clients/internal/bench",
		"conformance/internal/exchange",
		"conformance/loopback",
	},
	"conformance/clients/internal/lab": {
		"conformance/check",
		"conformance/clients/internal/bench",
		"conformance/internal/evidence",
		"conformance/internal/exchange",
		"conformance/loopback",
		"fakeentra/...",
	},
	"conformance/cmd/mcp-auth-conformance": {"conformance/...", "fakeentra/..."},
}

type listedPackage struct {
	ImportPath   string
	Dir          string
	Deps         []string
	Imports      []string
	GoFiles      []string
	TestGoFiles  []string
	XTestGoFiles []string
	Doc          string
}

// listPackages returns the packages of this module, without the module in their paths.
func listPackages(t *testing.T) []listedPackage {
	t.Helper()
	packages, err := listOnce()
	require.NoError(t, err)
	require.NotEmpty(t, packages)
	return packages
}

// listOnce asks the go command once for all tests.
var listOnce = sync.OnceValues(func() ([]listedPackage, error) {
	const fields = "-json=ImportPath,Dir,Deps,Imports,GoFiles,TestGoFiles,XTestGoFiles,Doc"
	list := exec.Command("go", "list", fields, "./...")
	list.Dir = ".."
	out, err := list.Output()
	if err != nil {
		return nil, err
	}
	var ours []listedPackage
	decoder := json.NewDecoder(bytes.NewReader(out))
	for {
		var pkg listedPackage
		err := decoder.Decode(&pkg)
		if errors.Is(err, io.EOF) {
			return ours, nil
		}
		if err != nil {
			return nil, err
		}
		pkg.ImportPath = strings.TrimPrefix(pkg.ImportPath, module)
		ours = append(ours, pkg)
	}
})

func TestImportsFollowTheArrows(t *testing.T) {
	t.Parallel()
	for _, pkg := range listPackages(t) {
		for _, imported := range pkg.Imports {
			name, found := strings.CutPrefix(imported, module)
			if !found {
				continue
			}
			matches := func(rule string) bool {
				root, includesBelow := strings.CutSuffix(rule, "/...")
				isBelow := name == root || strings.HasPrefix(name, root+"/")
				return name == rule || includesBelow && isBelow
			}
			allowed := slices.ContainsFunc(mayImport[pkg.ImportPath], matches)
			assert.True(t, allowed, "%s imports %s; mayImport does not allow it", pkg.ImportPath, name)
		}
	}
}

func TestPartsDoNotDependOnEachOther(t *testing.T) {
	t.Parallel()
	for _, pkg := range listPackages(t) {
		part, _, _ := strings.Cut(pkg.ImportPath, "/")
		for _, dep := range pkg.Deps {
			name, found := strings.CutPrefix(dep, module)
			if !found {
				continue
			}
			other, _, _ := strings.Cut(name, "/")
			isData := name == "testdata/entra"
			if part == other || part == "conformance" && other == "fakeentra" || isData {
				continue
			}
			t.Errorf("%s depends on %s", pkg.ImportPath, name)
		}
	}
}

// callsTesting lists the packages whose API is for tests.
var callsTesting = []string{
	"conformance/check",
	"conformance/servers",
	"conformance/issuers",
	"conformance/clients",
	"conformance/loopback/loopbacktest",
	"server/internal/engine",
	"server/internal/programs",
	"server/store/storetest",
}

func TestLibrariesDoNotImportTesting(t *testing.T) {
	t.Parallel()
	for _, pkg := range listPackages(t) {
		if slices.Contains(callsTesting, pkg.ImportPath) {
			continue
		}
		assert.NotContains(t, pkg.Imports, "testing", "package %s", pkg.ImportPath)
	}
}

func TestEveryPackageHasDocumentationAndAnExample(t *testing.T) {
	t.Parallel()
	for _, pkg := range listPackages(t) {
		assert.NotEmpty(t, pkg.Doc, "package %s has no package comment", pkg.ImportPath)
		if strings.Contains(pkg.ImportPath, "/cmd/") {
			continue
		}
		assert.Contains(t, pkg.GoFiles, "doc.go", "package %s", pkg.ImportPath)
		hasExample := false
		for _, file := range append(pkg.TestGoFiles, pkg.XTestGoFiles...) {
			text, err := os.ReadFile(filepath.Join(pkg.Dir, file))
			require.NoError(t, err)
			hasExample = hasExample || regexp.MustCompile(`(?m)^func Example`).Match(text)
		}
		assert.True(t, hasExample, "package %s has no runnable Example", pkg.ImportPath)
	}
}

func TestTopLevelHoldsOnlyFixedNames(t *testing.T) {
	t.Parallel()
	files := exec.CommandContext(t.Context(), "git", "ls-files")
	files.Dir = ".."
	out, err := files.Output()
	if err != nil {
		t.Skip("this is not a git checkout")
	}
	fixed := []string{
		"server",
		"client",
		"fakeentra",
		"conformance",
		"testdata",
		"go.mod",
		"go.sum",
		"Makefile",
		"README.md",
		"LICENSE",
	}
	for _, file := range strings.Fields(string(out)) {
		top, _, _ := strings.Cut(file, "/")
		if !strings.HasPrefix(top, ".") && !slices.Contains(fixed, top) {
			t.Errorf("%s does not belong at the top level", top)
		}
	}
}

// TestRenameModule renames the module in a copy of the repository. With CONFORMANCE=full in the
// environment, as in make race, it renames it back.
func TestRenameModule(t *testing.T) {
	t.Parallel()
	folder := copyOfRepository(t)
	const path = "example.com/you.and.me/kit"
	rename := func(to string) {
		rename := exec.CommandContext(t.Context(), "make", "-s", "rename-module", "MODULE="+to)
		rename.Dir = folder
		output, err := rename.CombinedOutput()
		require.NoError(t, err, "%s", output)
	}
	git := func(arguments ...string) string {
		command := exec.CommandContext(t.Context(), "git", arguments...)
		command.Dir = folder
		output, err := command.Output()
		require.NoError(t, err, "git %v", arguments)
		return string(output)
	}
	for _, wrong := range []string{"", "https://example.com/kit", "../kit", "a b", "/kit", "example.com/", "a//b"} {
		refused := exec.CommandContext(t.Context(), "make", "-s", "rename-module", "MODULE="+wrong)
		refused.Dir = folder
		output, err := refused.CombinedOutput()
		require.Error(t, err, "%q", wrong)
		assert.Contains(t, string(output), "MODULE", "%q", wrong)
		assert.Contains(t, readText(t, filepath.Join(folder, "go.mod")), "module "+strings.TrimSuffix(module, "/"))
	}
	rename(path)
	old := regexp.MustCompile(`(^|[^A-Za-z0-9_./@-])` + strings.TrimSuffix(module, "/") + `(/| =>| v0)`)
	for name := range strings.FieldsSeq(git("ls-files", "*.go", "*.md", "*go.mod")) {
		for line := range strings.Lines(readText(t, filepath.Join(folder, name))) {
			assert.NotRegexp(t, old, line, name)
		}
	}
	for name, want := range map[string]string{
		"go.mod":                         "module " + path + "\n",
		"README.md":                      "`replace " + path + " => ../",
		"server/README.md":               "the package `" + path + "/server`",
		"server/example_test.go":         "\n\t\"" + path + "/server/guard\"\n",
		"server/token/wycheproof/go.mod": "module " + path + "/server/token/wycheproof\n",
	} {
		assert.Contains(t, readText(t, filepath.Join(folder, name)), want, name)
	}
	assert.Empty(t, git("ls-files", "--others"), "rename-module leaves files behind")
	if os.Getenv("CONFORMANCE") != "full" {
		return // each rename costs seconds
	}
	rename(strings.TrimSuffix(module, "/"))
	assert.Empty(t, git("diff", "--name-only"), "renaming back does not restore the files")
}

// copyOfRepository copies the tracked files into a new git repository.
func copyOfRepository(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	const script = `git -C .. ls-files -z | tar -C .. --null -T - -cf - | tar -C "$1" -xf - &&
		cd "$1" && git init -q && git add -A`
	output, err := exec.CommandContext(t.Context(), "sh", "-c", script, "sh", folder).CombinedOutput()
	if err != nil {
		t.Skipf("no git checkout: %s", output)
	}
	return folder
}

// fenced matches the code blocks of a Markdown file, with their languages.
var fenced = regexp.MustCompile("(?ms)^```([a-z]+)\n(.*?)^```$")

// TestGoInREADMEsIsCompiled looks for every Go block of a README in a test file beside it.
func TestGoInREADMEsIsCompiled(t *testing.T) {
	t.Parallel()
	for _, readme := range readmes(t) {
		for _, block := range fenced.FindAllStringSubmatch(readText(t, readme), -1) {
			if block[1] != "go" {
				continue
			}
			candidates, err := filepath.Glob(filepath.Join(filepath.Dir(readme), "*_test.go"))
			require.NoError(t, err)
			found := slices.ContainsFunc(candidates, func(file string) bool {
				return strings.Contains(unindented(readText(t, file)), unindented(block[2]))
			})
			assert.True(
				t,
				found,
				"%s: want this block in a test file beside it, so that it is compiled:\n%s",
				readme,
				block[2],
			)
		}
	}
}

// TestCommandsInREADMEsExist runs each command in the shell blocks of READMEs with --help added. An
// unknown flag or verb fails. Make targets must be in the Makefile.
func TestCommandsInREADMEsExist(t *testing.T) {
	t.Parallel()
	bin := builtPrograms(t)
	home := t.TempDir()
	makefile := readText(t, "../Makefile")
	command := regexp.MustCompile(
		`(?:^|[\s;|&(])(?:bin/)?(mcp-entra-server|mcp-entra-client|fakeentra|mcp-auth-conformance)((?:\s+[^` +
			`\s#|&;>)]+)*)`,
	)
	target := regexp.MustCompile(`^make ([a-z-]+)`)
	for _, readme := range readmes(t) {
		for _, block := range fenced.FindAllStringSubmatch(readText(t, readme), -1) {
			if block[1] != "sh" {
				continue
			}
			for line := range strings.Lines(strings.ReplaceAll(block[2], "\\\n", " ")) {
				if match := target.FindStringSubmatch(line); match != nil {
					assert.Contains(t, makefile, "\n"+match[1]+":", "%s: %s", readme, line)
				}
				line = regexp.MustCompile(`\b[A-Z_]+=('[^']*'|"[^"]*"|\S*)\s`).ReplaceAllString(line, "")
				if match := command.FindStringSubmatch(line); match != nil {
					run := exec.CommandContext(
						t.Context(),
						filepath.Join(bin, match[1]),
						append(strings.Fields(match[2]), "--help")...,
					)
					run.Env = []string{"HOME=" + home}
					run.Dir = home
					out, err := run.CombinedOutput()
					assert.NoError(t, err, "%s: %s\n%s", readme, line, out)
				}
			}
		}
	}
}

// builtPrograms returns the folder of the programs that make test has built, or builds them.
func builtPrograms(t *testing.T) string {
	t.Helper()
	if built := os.Getenv("MCPENTRA_PROGRAMS"); built != "" {
		return built
	}
	bin := t.TempDir()
	build := exec.CommandContext(
		t.Context(),
		"go",
		"build",
		"-o",
		bin+string(filepath.Separator),
		"./server/cmd/mcp-entra-server",
		"./client/cmd/mcp-entra-client",
		"./fakeentra/cmd/fakeentra",
		"./conformance/cmd/mcp-auth-conformance",
	)
	build.Dir = ".."
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return bin
}

// readmes returns the READMEs of the parts and of the repository.
func readmes(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("../*/README.md")
	require.NoError(t, err)
	return append(files, "../README.md")
}

func readText(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	return string(text)
}

// unindented removes the indentation of every line, so that a block can be part of a function.
func unindented(text string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		out.WriteString(strings.TrimSpace(line) + "\n")
	}
	return strings.TrimSpace(out.String())
}
