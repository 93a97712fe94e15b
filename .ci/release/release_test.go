package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const commitTime = "2026-03-01T12:00:00Z"

// repository makes a git repository with a program, and the tag v1.2.3. The program uses another
// module, so that the SBOM has one.
func repository(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module example.com/tiny\n\ngo 1.26.0\n\nrequire example.com/part v0.0.0\n\n" +
			"replace example.com/part => ./part\n",
		"part/go.mod":      "module example.com/part\n\ngo 1.26.0\n",
		"part/part.go":     "package part\n\n// Text is printed.\nconst Text = \"part\"\n",
		"cmd/tiny/main.go": "package main\n\nimport \"example.com/part\"\n\nfunc main() { println(part.Text) }\n",
		"LICENSE":          "license\n",
		"README.md":        "readme\n",
	} {
		file := filepath.Join(folder, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
	}
	git(t, folder, "init", "-q")
	git(t, folder, "add", "-A")
	git(t, folder, "commit", "-q", "-m", "tiny: begin")
	git(t, folder, "tag", "v1.2.3")
	return folder
}

func git(t *testing.T, folder string, arguments ...string) {
	t.Helper()
	settings := []string{"-C", folder, "-c", "user.name=a", "-c", "user.email=a@example.com"}
	command := exec.CommandContext(t.Context(), "git", append(settings, arguments...)...)
	command.Env = append(os.Environ(), "GIT_COMMITTER_DATE="+commitTime, "GIT_AUTHOR_DATE="+commitTime)
	output, err := command.CombinedOutput()
	require.NoError(t, err, "%s", output)
}

// release releases a repository for two platforms into a folder.
func release(t *testing.T, source, into string, change func(*Release)) (string, error) {
	t.Helper()
	var log bytes.Buffer
	r := Release{
		Source:    source,
		Folder:    into,
		Platforms: []string{"linux/amd64", "windows/amd64"},
		Programs:  []string{"./cmd/tiny"},
		Log:       &log,
	}
	if change != nil {
		change(&r)
	}
	err := r.run(t.Context(), nil)
	return log.String(), err
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	return string(text)
}

const (
	linux   = "mcpentra_v1.2.3_linux_amd64"
	windows = "mcpentra_v1.2.3_windows_amd64"
)

func TestReleaseIsReproducible(t *testing.T) {
	t.Parallel()
	source := repository(t)
	first := t.TempDir()
	_, err := release(t, source, first, nil)
	require.NoError(t, err)

	// Another folder, another path, another time zone of files, and changes without a commit.
	clone := filepath.Join(t.TempDir(), "a clone with another name")
	git(t, source, "clone", "-q", source, clone)
	require.NoError(t, os.WriteFile(filepath.Join(clone, "README.md"), []byte("changed\n"), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(clone, "cmd/tiny/more.go"), []byte("package main\n"), 0o644))
	second := t.TempDir()
	log, err := release(t, clone, second, nil)
	require.NoError(t, err)
	assert.Contains(t, log, "changes that are not committed are left out")
	assert.Equal(t, read(t, filepath.Join(first, sums)), read(t, filepath.Join(second, sums)))

	check := exec.CommandContext(t.Context(), "sha256sum", "--check", "--strict", sums)
	check.Dir = second
	output, err := check.CombinedOutput()
	require.NoError(t, err, "%s", output)
	for _, name := range []string{linux + ".tar.gz", linux + ".cdx.json", windows + ".zip", windows + ".cdx.json"} {
		assert.Contains(t, string(output), name+": OK")
	}
}

func TestArchivesHoldNothingOfTheMachine(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	_, err := release(t, repository(t), folder, nil)
	require.NoError(t, err)
	at, err := time.Parse(time.RFC3339, commitTime)
	require.NoError(t, err)

	compressed, err := gzip.NewReader(strings.NewReader(read(t, filepath.Join(folder, linux+".tar.gz"))))
	require.NoError(t, err)
	assert.Empty(t, compressed.Name)
	assert.True(t, compressed.ModTime.IsZero())
	var names []string
	program := filepath.Join(t.TempDir(), "tiny")
	for archive := tar.NewReader(compressed); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		names = append(names, header.Name)
		assert.True(t, header.ModTime.Equal(at), header.ModTime)
		assert.Zero(t, header.Uid+header.Gid)
		assert.Empty(t, header.Uname+header.Gname)
		if header.Name == linux+"/tiny" {
			assert.EqualValues(t, 0o755, header.Mode)
			text, err := io.ReadAll(archive)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(program, text, 0o755))
		}
	}
	assert.Equal(t, []string{linux + "/LICENSE", linux + "/README.md", linux + "/tiny"}, names)
	output, err := exec.CommandContext(t.Context(), program).CombinedOutput()
	require.NoError(t, err)
	assert.Equal(t, "part\n", string(output))
	assert.NotContains(t, read(t, program), "mcpentra-release-", "the folder of the build")

	zipped, err := zip.OpenReader(filepath.Join(folder, windows+".zip"))
	require.NoError(t, err)
	defer zipped.Close()
	require.Len(t, zipped.File, 3)
	assert.Equal(t, windows+"/tiny.exe", zipped.File[2].Name)
	assert.True(t, zipped.File[2].Modified.Equal(at))
}

func TestSBOMFollowsSchema(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	_, err := release(t, repository(t), folder, func(r *Release) { r.Platforms = r.Platforms[:1] })
	require.NoError(t, err)
	list := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/CycloneDX/cyclonedx-go")
	module, err := list.Output()
	require.NoError(t, err)
	compiler := jsonschema.NewCompiler()
	for _, name := range []string{"bom-1.6.schema.json", "jsf-0.82.schemax.json", "spdx.schema.json"} {
		schema := read(t, filepath.Join(strings.TrimSpace(string(module)), "schema", name))
		document, err := jsonschema.UnmarshalJSON(strings.NewReader(schema))
		require.NoError(t, err)
		id := document.(map[string]any)["$id"].(string)
		require.NoError(t, compiler.AddResource(id, document))
	}
	schema, err := compiler.Compile("http://cyclonedx.org/schema/bom-1.6.schema.json")
	require.NoError(t, err)
	text := read(t, filepath.Join(folder, linux+".cdx.json"))
	sbom, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	require.NoError(t, err)
	assert.NoError(t, schema.Validate(sbom))
	for _, want := range []string{
		`"specVersion": "1.6"`,
		`"timestamp": "` + commitTime + `"`,
		`"purl": "pkg:golang/std@1.`,
		`"purl": "pkg:golang/example.com/part@v0.0.0"`,
		`"name": "tiny"`,
		`"version": "v1.2.3"`,
	} {
		assert.Contains(t, text, want)
	}
	broken, err := jsonschema.UnmarshalJSON(strings.NewReader(strings.Replace(text, `"CycloneDX"`, `"other"`, 1)))
	require.NoError(t, err)
	assert.Error(t, schema.Validate(broken), "the schema can fail")
}

// The signing command gets the name of the file. Here it is OpenSSL with a key in a file.
func TestReleaseIsSigned(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("openssl"); err != nil {
		require.NotEqual(t, "true", os.Getenv("CI"), "CI needs openssl")
		t.Skip("openssl is not installed")
	}
	keys := t.TempDir()
	key := filepath.Join(keys, "key.pem")
	openssl := func(folder string, arguments ...string) string {
		command := exec.CommandContext(t.Context(), "openssl", arguments...)
		command.Dir = folder
		output, err := command.CombinedOutput()
		require.NoError(t, err, "%s", output)
		return string(output)
	}
	openssl(keys, "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key)
	openssl(keys, "pkey", "-in", key, "-pubout", "-out", "public.pem")
	folder := t.TempDir()
	_, err := release(t, repository(t), folder, func(r *Release) {
		r.Platforms = r.Platforms[:1]
		r.Sign = "openssl dgst -sha256 -sign '" + key + "' -out SHA256SUMS.sig"
	})
	require.NoError(t, err)
	said := openssl(folder, "dgst", "-sha256", "-verify", filepath.Join(keys, "public.pem"),
		"-signature", "SHA256SUMS.sig", "SHA256SUMS")
	assert.Contains(t, said, "Verified OK")
	for _, entry := range list(t, folder) {
		assert.NotContains(t, read(t, filepath.Join(folder, entry)), "PRIVATE KEY")
	}

	// The next release removes the signature of this one, and leaves files of others alone.
	require.NoError(t, os.WriteFile(filepath.Join(folder, "notes.txt"), []byte("mine"), 0o644))
	log, err := release(t, repository(t), folder, func(r *Release) {
		r.Platforms = r.Platforms[:1]
		r.Sign = "exit 3 #"
	})
	require.ErrorContains(t, err, "SIGN: exit status 3")
	assert.NotContains(t, log, "is not signed")
	assert.Equal(t, []string{"SHA256SUMS", linux + ".cdx.json", linux + ".tar.gz", "notes.txt"}, list(t, folder))
}

func list(t *testing.T, folder string) []string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

func TestReleaseRefuses(t *testing.T) {
	t.Parallel()
	source := repository(t)
	for name, test := range map[string]struct {
		change func(*Release)
		want   string
	}{
		"no checkout": {func(r *Release) { r.Source = t.TempDir() }, "want a git checkout"},
		"no platform": {func(r *Release) { r.Platforms = []string{"linux"} }, "linux: want OS/ARCH"},
		"no system":   {func(r *Release) { r.Platforms = []string{"minix/amd64"} }, "minix/amd64: go build"},
		"no program":  {func(r *Release) { r.Programs = []string{"./cmd/other"} }, "cmd/other"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := filepath.Join(t.TempDir(), "dist")
			_, err := release(t, source, folder, test.change)
			require.ErrorContains(t, err, test.want)
			assert.NoDirExists(t, folder, "nothing is published")
		})
	}
}

// A commit without a tag gets the version that Go derives from the commit.
func TestReleaseOfCommitWithoutTag(t *testing.T) {
	t.Parallel()
	source := repository(t)
	require.NoError(t, os.WriteFile(filepath.Join(source, "README.md"), []byte("more\n"), 0o644))
	git(t, source, "commit", "-q", "-a", "-m", "tiny: go on")
	folder := t.TempDir()
	_, err := release(t, source, folder, func(r *Release) { r.Platforms = r.Platforms[:1] })
	require.NoError(t, err)
	assert.Regexp(t, regexp.MustCompile(`mcpentra_v1\.2\.4-0\.20260301120000-[0-9a-f]{12}_linux_amd64\.tar\.gz`),
		read(t, filepath.Join(folder, sums)))
}

// The four programs of the repository are released for five platforms.
func TestReleaseNamesEveryProgram(t *testing.T) {
	t.Parallel()
	makefile := read(t, "../../Makefile")
	programs := regexp.MustCompile(`(?m)^PROGRAMS\s*= (.*)$`).FindStringSubmatch(makefile)
	require.NotNil(t, programs)
	assert.ElementsMatch(t, strings.Fields(programs[1]), allPrograms)
	assert.Len(t, allPlatforms, 5)
}
