package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestPrograms runs the scripts in testdata.
func TestPrograms(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			people, stop := forPeople(t)
			env.Defer(stop)
			machines := forMachines()
			env.Defer(machines.Close)
			env.Setenv("PEOPLE", people)
			env.Setenv("PEOPLE_AT", strings.TrimSuffix(strings.TrimPrefix(people, "http://"), "/mcp"))
			env.Setenv("OTHERS", others(t))
			env.Setenv("NOTHING_AT", nothingAt(t))
			env.Setenv("MACHINES", machines.URL+"/mcp")
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("BROWSER", "approve")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":   exits,
			"private": private,
		},
	})
}

// exits runs `exits STATUS PROGRAM ARGS…`, and writes the output to the files stdout and stderr.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	ts.Check(os.WriteFile(ts.MkAbs("stdout"), []byte(ts.ReadFile("stdout")), 0o600))
	ts.Check(os.WriteFile(ts.MkAbs("stderr"), []byte(ts.ReadFile("stderr")), 0o600))
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("%s: exit status %d, want %d", args[1], got, want)
	}
}

// private fails for a folder if another user could read a file, or if a file holds a token or an
// address unencrypted.
func private(ts *testscript.TestScript, _ bool, args []string) {
	found := 0
	ts.Check(filepath.WalkDir(ts.MkAbs(args[0]), func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o077 != 0 {
			return fmt.Errorf("%s has mode %o", path, info.Mode().Perm())
		}
		if entry.IsDir() {
			return nil
		}
		found++
		text, err := os.ReadFile(path)
		if strings.Contains(string(text), "eyJ") || strings.Contains(string(text), "http") {
			return fmt.Errorf("%s is not encrypted", path)
		}
		return err
	}))
	if found == 0 {
		ts.Fatalf("%s holds no file", args[0])
	}
}
