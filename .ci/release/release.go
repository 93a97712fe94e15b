package main

import (
	"context"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

var allPlatforms = []string{"linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64", "windows/amd64"}

var allPrograms = []string{
	"./server/cmd/mcp-entra-server",
	"./client/cmd/mcp-entra-client",
	"./fakeentra/cmd/fakeentra",
	"./conformance/cmd/mcp-auth-conformance",
}

// documents are the files of the repository in every archive.
var documents = []string{"LICENSE", "README.md"}

// A Release says what to build, and where.
type Release struct {
	Source    string   // a git checkout
	Folder    string   // of the archives; absolute
	Platforms []string // OS/ARCH
	Programs  []string // packages of the programs, relative to Source
	Sign      string   // a command of the shell, or empty
	Log       io.Writer
}

// A commit is the version of the source.
type commit struct {
	hash string
	time time.Time
}

// Make builds in a temporary folder, and then replaces the files of an earlier release.
func (r *Release) Make(ctx context.Context, temporary string) error {
	source := filepath.Join(temporary, "source")
	from, err := r.clone(ctx, source)
	if err != nil {
		return err
	}
	made := filepath.Join(temporary, "dist")
	if err := os.Mkdir(made, 0o755); err != nil {
		return err
	}
	for _, platform := range r.Platforms {
		fmt.Fprintf(r.Log, "building for %s\n", platform)
		built, err := r.build(ctx, source, filepath.Join(temporary, "bin", platform), platform)
		if err != nil {
			return fmt.Errorf("%s: %w", platform, err)
		}
		if err := built.pack(source, made, from); err != nil {
			return fmt.Errorf("%s: %w", platform, err)
		}
	}
	if err := writeSums(made); err != nil {
		return err
	}
	if err := r.publish(made); err != nil {
		return err
	}
	return r.sign(ctx)
}

// clone clones the commit of the checkout. It leaves out changes that are not committed.
func (r *Release) clone(ctx context.Context, into string) (*commit, error) {
	changed, err := run(ctx, r.Source, nil, "git", "status", "--porcelain")
	if err != nil {
		return nil, fmt.Errorf("want a git checkout, because it gives the version: %w", err)
	}
	if changed != "" {
		fmt.Fprintln(r.Log, "note: changes that are not committed are left out")
	}
	head, err := run(ctx, r.Source, nil, "git", "log", "-1", "--format=%H %ct")
	if err != nil {
		return nil, err
	}
	hash, seconds, _ := strings.Cut(strings.TrimSpace(head), " ")
	at, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("git log: want the time of the commit: %w", err)
	}
	origin, err := filepath.Abs(r.Source)
	if err != nil {
		return nil, err
	}
	for _, words := range [][]string{
		{"git", "clone", "--quiet", "--no-checkout", origin, into},
		{"git", "-C", into, "checkout", "--quiet", "--detach", hash},
	} {
		if _, err := run(ctx, r.Source, nil, words...); err != nil {
			return nil, err
		}
	}
	return &commit{hash: hash, time: time.Unix(at, 0).UTC()}, nil
}

// A built is the set of programs for one platform.
type built struct {
	version string
	system  string
	machine string
	bin     string // the folder of the programs
	names   []string
	info    map[string]*buildinfo.BuildInfo // by name
}

// build compiles the programs. The variables keep the caller's settings of Go out.
func (r *Release) build(ctx context.Context, source, bin, platform string) (*built, error) {
	system, machine, ok := strings.Cut(platform, "/")
	if !ok {
		return nil, errors.New("want OS/ARCH")
	}
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return nil, err
	}
	env := []string{
		"CGO_ENABLED=0", "GOOS=" + system, "GOARCH=" + machine,
		"GOFLAGS=", "GOWORK=off", "GOENV=off", "GOTOOLCHAIN=local",
		"GOAMD64=v1", "GOARM64=v8.0", "GOEXPERIMENT=", "GOFIPS140=off",
	}
	words := []string{
		"go", "build", "-trimpath", "-buildvcs=true", "-ldflags=-s", "-o", bin + string(filepath.Separator),
	}
	if _, err := run(ctx, source, env, append(words, r.Programs...)...); err != nil {
		return nil, err
	}
	found := &built{system: system, machine: machine, bin: bin, info: map[string]*buildinfo.BuildInfo{}}
	for _, program := range r.Programs {
		name := path.Base(program)
		if system == "windows" {
			name += ".exe"
		}
		info, err := buildinfo.ReadFile(filepath.Join(bin, name))
		if err != nil {
			return nil, err
		}
		found.names = append(found.names, name)
		found.info[name] = info
		found.version = info.Main.Version
	}
	slices.Sort(found.names)
	if !strings.HasPrefix(found.version, "v") || strings.Contains(found.version, "+dirty") {
		return nil, fmt.Errorf("want programs with the version of a commit, got %q", found.version)
	}
	return found, nil
}

// name is the name of the archive without its end.
func (b *built) name() string {
	return "mcpentra_" + b.version + "_" + b.system + "_" + b.machine
}

// pack writes the archive and its SBOM.
func (b *built) pack(source, into string, from *commit) error {
	sbom, err := b.sbom(from)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(into, b.name()+".cdx.json"), sbom, 0o644); err != nil {
		return err
	}
	var files []packed
	for _, name := range documents {
		text, err := os.ReadFile(filepath.Join(source, name))
		if err != nil {
			return err
		}
		files = append(files, packed{path.Join(b.name(), name), 0o644, text})
	}
	for _, name := range b.names {
		text, err := os.ReadFile(filepath.Join(b.bin, name))
		if err != nil {
			return err
		}
		files = append(files, packed{path.Join(b.name(), name), 0o755, text})
	}
	slices.SortFunc(files, func(x, y packed) int { return strings.Compare(x.name, y.name) })
	if b.system == "windows" {
		return writeZip(filepath.Join(into, b.name()+".zip"), files, from.time)
	}
	return writeTar(filepath.Join(into, b.name()+".tar.gz"), files, from.time)
}

// sums is the file with the checksums.
const sums = "SHA256SUMS"

// writeSums writes the checksums of all files in the folder, as sha256sum does.
func writeSums(folder string) error {
	entries, err := os.ReadDir(folder) // sorted
	if err != nil {
		return err
	}
	var text strings.Builder
	for _, entry := range entries {
		content, err := os.ReadFile(filepath.Join(folder, entry.Name()))
		if err != nil {
			return err
		}
		hash := sha256.Sum256(content)
		fmt.Fprintf(&text, "%s  %s\n", hex.EncodeToString(hash[:]), entry.Name())
	}
	return os.WriteFile(filepath.Join(folder, sums), []byte(text.String()), 0o644)
}

// publish replaces the files of an earlier release. It touches no other file.
func (r *Release) publish(made string) error {
	if err := os.MkdirAll(r.Folder, 0o755); err != nil {
		return err
	}
	for _, pattern := range []string{"mcpentra_*", sums + "*"} {
		earlier, err := filepath.Glob(filepath.Join(r.Folder, pattern))
		if err != nil {
			return err
		}
		for _, file := range earlier {
			if err := os.Remove(file); err != nil {
				return err
			}
		}
	}
	entries, err := os.ReadDir(made)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		content, err := os.ReadFile(filepath.Join(made, entry.Name()))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(r.Folder, entry.Name()), content, 0o644); err != nil {
			return err
		}
		fmt.Fprintln(r.Log, entry.Name())
	}
	return nil
}

// sign runs the command of the operator.
func (r *Release) sign(ctx context.Context) error {
	if r.Sign == "" {
		fmt.Fprintf(r.Log, "%s is not signed; SIGN names a command that signs it\n", sums)
		return nil
	}
	command := exec.CommandContext(ctx, "sh", "-c", r.Sign+` "$1"`, "sh", sums)
	command.Dir = r.Folder
	command.Stdin = os.Stdin // a key may need its passphrase
	command.Stdout = r.Log
	command.Stderr = r.Log
	if err := command.Run(); err != nil {
		return fmt.Errorf("SIGN: %w", err)
	}
	return nil
}

// run runs a program to its end. It returns what the program wrote.
func run(ctx context.Context, folder string, env []string, words ...string) (string, error) {
	command := exec.CommandContext(ctx, words[0], words[1:]...)
	command.Dir = folder
	command.Env = append(os.Environ(), env...)
	var output, complaints strings.Builder
	command.Stdout = &output
	command.Stderr = &complaints
	if err := command.Run(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s", strings.Join(words[:2], " "), err, &complaints)
	}
	return output.String(), nil
}
