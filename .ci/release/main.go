// Release builds the archives of a release in the folder dist: the four programs for five
// platforms, a software bill of materials (SBOM) for each archive, and SHA256SUMS.
//
// It builds the commit that is checked out, in a clone, with the version that Go derives from tags.
// The same commit and the same version of Go give the same bytes in every folder and on every
// machine.
//
// If the variable SIGN holds a command, a shell runs it in the folder dist with the argument
// SHA256SUMS. The command holds the key; this program never sees it.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	release := Release{Log: os.Stderr, Sign: os.Getenv("SIGN")}
	var platforms, programs string
	flag.StringVar(&release.Source, "source", ".", "the checkout whose commit is released, a `FOLDER`")
	flag.StringVar(&release.Folder, "out", "dist", "the `FOLDER` of the archives")
	flag.StringVar(&platforms, "platforms", strings.Join(allPlatforms, ","), "a `LIST` of OS/ARCH")
	flag.StringVar(&programs, "programs", strings.Join(allPrograms, ","), "a `LIST` of packages")
	flag.Parse()
	release.Platforms = strings.Split(platforms, ",")
	release.Programs = strings.Split(programs, ",")
	if err := release.run(ctx, flag.Args()); err != nil {
		fmt.Fprintf(os.Stderr, "release: %v\n", err)
		os.Exit(1)
	}
}

func (r *Release) run(ctx context.Context, rest []string) error {
	if len(rest) > 0 {
		return fmt.Errorf("want flags only, got %q", rest)
	}
	temporary, err := os.MkdirTemp("", "mcpentra-release-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temporary)
	r.Folder, err = filepath.Abs(r.Folder)
	if err != nil {
		return err
	}
	return r.Make(ctx, temporary)
}
