package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/fault"
)

// checkValues checks the flags whose values the fake itself checks, one by one, so that an error
// names its flag.
func (o serveOptions) checkValues() error {
	for _, one := range []struct {
		flag   string
		config fakeentra.Config
	}{
		{"--public-url", fakeentra.Config{PublicURL: o.publicURL}},
		{"--backchannel-url", fakeentra.Config{BackchannelURL: o.backchannelURL}},
		{"--face", fakeentra.Config{Face: fakeentra.Face(o.face)}},
		{"--cloud", fakeentra.Config{Cloud: fakeentra.Cloud(o.cloud)}},
		{"--resource", fakeentra.Config{ResourceParameter: fakeentra.ResourceParameter(o.resource)}},
		{"--chaos", fakeentra.Config{Chaos: fault.Chaos{Share: o.chaos}}},
	} {
		if _, err := fakeentra.New(one.config); err != nil {
			return fmt.Errorf("%s: %s", one.flag, strings.TrimPrefix(err.Error(), "fakeentra: "))
		}
	}
	return nil
}

// checkPort checks the port of an address. The system would also look up the names of services.
func checkPort(flag, address string) error {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return err // checked before
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return fmt.Errorf("%s %s: cannot listen there: want a port from 0 to 65535, got %q", flag, address, port)
	}
	return nil
}

// checkDistinct refuses the same port for the fake and its admin API. Port 0 is another port each
// time.
func (o serveOptions) checkDistinct() error {
	host, port, errAddress := net.SplitHostPort(o.address)
	adminHost, adminPort, errAdmin := net.SplitHostPort(o.admin)
	if errAddress != nil || errAdmin != nil || port == "0" || port != adminPort {
		return nil
	}
	ip := net.ParseIP(host)
	isWide := host == "" || host == "localhost" || ip != nil && ip.IsUnspecified()
	if isWide || adminHost == "localhost" || adminHost == host {
		return fmt.Errorf("--admin-addr: want another port than --addr %s, got %q", o.address, o.admin)
	}
	return nil
}

// checkWritable checks that a file can be written: its folder exists and accepts new files, and the
// file is absent or a regular file.
func checkWritable(flag, name string) error {
	folder := filepath.Dir(name)
	if _, err := os.Stat(folder); err != nil {
		return fmt.Errorf("%s: want a file in a folder that exists: %w", flag, err)
	}
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return fmt.Errorf("%s: want a file that fakeentra may replace: %w", flag, err)
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s: want a regular file, but %s is not one; name another file", flag, name)
	}
	probe, err := os.CreateTemp(folder, ".fakeentra-")
	if err != nil {
		return fmt.Errorf("%s: want a folder that accepts new files: %w", flag, err)
	}
	if err := errors.Join(probe.Close(), os.Remove(probe.Name())); err != nil {
		return fmt.Errorf("%s: %w", flag, err)
	}
	return nil
}
