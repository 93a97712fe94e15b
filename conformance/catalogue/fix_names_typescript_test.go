package catalogue_test

import (
	"io/fs"
	"os"
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

// typePackages have the declarations of the names in the advice for the TypeScript SDK.
var typePackages = []string{
	"foreign/node_modules/@modelcontextprotocol",
	"foreign/node_modules/jose",
	"foreign/node_modules/sdk-1.32",
	"node_modules/@azure/msal-node",
	"node_modules/openid-client",
}

// elsewhere are names of Node, of the web platform, of Express and of Ajv, whose declarations no
// test installs.
var elsewhere = []string{
	"AbortSignal",
	"getAll",
	"headersTimeout",
	"insecureHTTPParser",
	"loadSchema",
	"maxConnections",
	"randomUUID",
	"rawHeaders",
	"requestTimeout",
	"searchParams",
}

// TestInteropFixNamesExistInTypeScript looks for each name of the advice that has capital letters
// in the declarations of the packages.
func TestInteropFixNamesExistInTypeScript(t *testing.T) {
	t.Parallel()
	foreign.SkipUnlessInterop(t)
	word := regexp.MustCompile(`[A-Za-z_$][\w$]*`)
	declared := map[string]bool{}
	for _, name := range typePackages {
		folder := filepath.Join("../../testdata/interop", name)
		require.DirExists(t, folder, "make interop installs it")
		require.NoError(t, filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
			isDeclaration := strings.HasSuffix(path, ".d.ts") || strings.HasSuffix(path, ".d.mts")
			if err != nil || entry.IsDir() || !isDeclaration {
				return err
			}
			text, err := os.ReadFile(path)
			for _, found := range word.FindAllString(string(text), -1) {
				declared[found] = true
			}
			return err
		}))
	}
	hasCapital := regexp.MustCompile(`[A-Z]`).MatchString
	for topic, fix := range catalogue.Fixes() {
		for _, advice := range fix.For(catalogue.TypeScript) {
			for _, span := range quoted(advice.Text, -1) {
				for _, name := range word.FindAllString(span[1], -1) {
					isKnown := !hasCapital(name) || declared[name] || slices.Contains(elsewhere, name)
					assert.True(t, isKnown, "%s: no package declares %s", topic, name)
				}
			}
		}
	}
}
