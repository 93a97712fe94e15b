package engine

import (
	"context"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// newPostgresServer makes the folder of an engine.
func newPostgresServer(t testing.TB, settings ...string) *PostgresServer {
	t.Helper()
	programs := findPostgres()
	if programs == "" {
		missing(t, "PostgreSQL (Debian package postgresql)")
	}
	folder, err := os.MkdirTemp("", "mcpentra-postgres-")
	require.NoError(t, err)
	s := &PostgresServer{Folder: folder, programs: programs, settings: settings, account: &syscall.SysProcAttr{}}
	if os.Geteuid() == 0 {
		s.becomePostgres(t)
	}
	return s
}

// becomePostgres makes the engine run as the user postgres, because it refuses to run as root.
func (s *PostgresServer) becomePostgres(t testing.TB) {
	t.Helper()
	account, err := user.Lookup("postgres")
	require.NoError(t, err)
	uid, err := strconv.ParseUint(account.Uid, 10, 32)
	require.NoError(t, err)
	gid, err := strconv.ParseUint(account.Gid, 10, 32)
	require.NoError(t, err)
	require.NoError(t, os.Chown(s.Folder, int(uid), int(gid)))
	s.account.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

// missing skips a test that needs a program. In CI every program has to be there.
func missing(t testing.TB, program string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("%s is not installed", program)
	}
	t.Skipf("needs %s", program)
}

// findPostgres returns the folder with the programs of the newest PostgreSQL, or "".
func findPostgres() string {
	// Debian keeps them out of PATH.
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil || len(found) == 0 {
		path, err := exec.LookPath("postgres")
		if err != nil {
			return ""
		}
		return filepath.Dir(path)
	}
	version := func(path string) int {
		number, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
		return number
	}
	return filepath.Dir(slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) }))
}

func (s *PostgresServer) data() string { return filepath.Join(s.Folder, "data") }

func (s *PostgresServer) program(name string) string { return filepath.Join(s.programs, name) }

// initialize makes the data of an empty engine.
func (s *PostgresServer) initialize(t testing.TB) {
	t.Helper()
	s.run(t, "initdb", "-D", s.data(), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
}

// run runs one of PostgreSQL's programs to its end.
func (s *PostgresServer) run(t testing.TB, name string, arguments ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	command := exec.CommandContext(ctx, s.program(name), arguments...)
	command.SysProcAttr = s.account
	command.Dir = s.Folder
	output, err := command.CombinedOutput()
	require.NoError(t, err, "%s: %s", name, output)
}

// remove ends the engine and removes its folder.
func (s *PostgresServer) remove() {
	s.Stop()
	_ = os.RemoveAll(s.Folder)
}
