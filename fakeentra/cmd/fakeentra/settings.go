package main

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/fault"
	"mcpentra/fakeentra/portal"
)

// serveOptions are the flags of a fake that listens.
type serveOptions struct {
	address, admin, directory, envFile, caFile, publicURL, backchannelURL string
	face, cloud, resource, seed, clock                                    string
	chaos                                                                 float64
	graphPageSize                                                         int
	tls, autoSignIn, expose, quiet, exactLoopbackPort, errorLines         bool
	popChallenge                                                          bool
}

// check looks for mistakes in every option. It returns the fake's Config and the directory file.
// The file is nil without --directory.
func (o serveOptions) check() (fakeentra.Config, *watch, error) {
	for _, look := range []func() error{o.checkAddresses, o.checkFiles, o.checkClock, o.checkValues} {
		if err := look(); err != nil {
			return fakeentra.Config{}, nil, err
		}
	}
	config := fakeentra.Config{
		PublicURL:         o.publicURL,
		BackchannelURL:    o.backchannelURL,
		AutoSignIn:        o.autoSignIn,
		Chaos:             fault.Chaos{Share: o.chaos},
		Face:              fakeentra.Face(o.face),
		Cloud:             fakeentra.Cloud(o.cloud),
		ResourceParameter: fakeentra.ResourceParameter(o.resource),
		ExactLoopbackPort: o.exactLoopbackPort,
		ErrorLines:        o.errorLines,
		PoPChallenge:      o.popChallenge,
		GraphPageSize:     o.graphPageSize,
		FederationClient:  loopbackClient(),
		Portal:            portal.Handler,
	}
	if o.seed != "" {
		seed := sha256.Sum256([]byte(o.seed))
		config.Rand = rand.NewChaCha8(seed)
		config.Chaos.Seed = uint64(seed[0])<<8 | uint64(seed[1])
	}
	var watched *watch
	if o.directory != "" {
		var err error
		if watched, err = newWatch(o.directory); err != nil {
			return fakeentra.Config{}, nil, fmt.Errorf("--directory: %w", err)
		}
		config.Directory = watched.file.Directory()
	}
	if _, err := fakeentra.New(config); err != nil {
		return fakeentra.Config{}, nil, errors.New(strings.TrimPrefix(err.Error(), "fakeentra: "))
	}
	return config, watched, nil
}

func (o serveOptions) checkAddresses() error {
	host, _, err := net.SplitHostPort(o.address)
	if err != nil {
		return fmt.Errorf("--addr: want HOST:PORT, for example localhost:8400, got %q", o.address)
	}
	if !o.expose && !isLoopback(host) {
		return fmt.Errorf("--addr %s: other machines could reach this address and sign in as any user; "+
			"add --expose to allow this", o.address)
	}
	if err := checkPort("--addr", o.address); err != nil || o.admin == "" {
		return err
	}
	host, _, err = net.SplitHostPort(o.admin)
	if err != nil || !isLoopback(host) {
		return fmt.Errorf("--admin-addr: want HOST:PORT on loopback, for example localhost:8401, got %q; "+
			"any program that reaches the admin API controls the fake", o.admin)
	}
	if err := checkPort("--admin-addr", o.admin); err != nil {
		return err
	}
	return o.checkDistinct()
}

func (o serveOptions) checkFiles() error {
	if o.caFile != "" && !o.tls {
		return errors.New("--ca-file needs --tls")
	}
	for _, one := range []struct{ flag, file string }{{"--ca-file", o.caFile}, {"--write-env", o.envFile}} {
		if one.file == "" {
			continue
		}
		if err := checkWritable(one.flag, one.file); err != nil {
			return err
		}
	}
	if o.envFile == "" {
		return nil
	}
	if o.caFile != "" && filepath.Clean(o.caFile) == filepath.Clean(o.envFile) {
		return fmt.Errorf("--write-env: want another file than --ca-file, got %s for both", o.envFile)
	}
	return checkReplaceable(o.envFile)
}

// envFileMark is part of the first line of the settings files that fakeentra writes.
const envFileMark = "Written by fakeentra"

// checkReplaceable refuses to replace a settings file of the user: it may hold the only copy of a
// client secret.
func checkReplaceable(name string) error {
	file, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("--write-env: want a file that fakeentra may replace: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	switch {
	case err != nil:
		return fmt.Errorf("--write-env: %w", err)
	case !info.Mode().IsRegular():
		return fmt.Errorf("--write-env: want a regular file, but %s is not one; name another file", name)
	case info.Size() == 0:
		return nil
	}
	line, _ := bufio.NewReader(io.LimitReader(file, maxFirstLine)).ReadString('\n')
	if !strings.Contains(line, envFileMark) {
		return fmt.Errorf("--write-env: %s holds settings that fakeentra did not write, so it stays as it is; "+
			"move it away or name another file", name)
	}
	return nil
}

// maxFirstLine bounds the first line of a settings file, in bytes.
const maxFirstLine = 4 << 10

func (o serveOptions) checkClock() error {
	if o.clock == "" {
		return nil
	}
	if _, err := time.Parse(time.RFC3339, o.clock); err != nil {
		return fmt.Errorf("--clock: want a time like 2026-01-31T09:00:00Z, got %q", o.clock)
	}
	return nil
}

// listenError names the flag whose address cannot be listened on.
func listenError(flag, address string, err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%s %s: another program listens there, perhaps another fakeentra; "+
			"end it, or choose another port (%s localhost:0 picks a free port)", flag, address, flag)
	}
	return fmt.Errorf("%s %s: cannot listen there: %s", flag, address, strings.TrimPrefix(err.Error(), "fakeentra: "))
}
