package engine

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// startTime bounds how long an engine may take to start on a busy machine.
const startTime = time.Minute

// Unsafe are settings for tests that crash no engine.
var Unsafe = []string{"fsync=off", "full_page_writes=off"}

// Postgres returns the URL of a new, empty database. All tests of a process share one engine, which
// runs without fsync.
func Postgres(t testing.TB) string {
	t.Helper()
	shared.Do(func() {
		server := newPostgresServer(t, Unsafe...)
		server.initialize(t)
		server.start(t, true)
		sharedServer = server
	})
	require.NotNil(t, sharedServer, "the engine did not start for another test")
	return sharedServer.NewDatabase(t)
}

var (
	shared       sync.Once
	sharedServer *PostgresServer
)

// A PostgresServer is an engine of one test, which may kill it and start it again.
type PostgresServer struct {
	Folder   string // of the data and the socket
	programs string // the folder of PostgreSQL's programs
	account  *syscall.SysProcAttr
	settings []string
	lifeline *os.File // the supervisor ends the engine when this pipe is closed
	ended    chan struct{}
	last     atomic.Int64
}

// StartPostgres starts an engine that ends with the test. Settings are lines of postgresql.conf,
// such as fsync=off.
func StartPostgres(t testing.TB, settings ...string) *PostgresServer {
	t.Helper()
	server := newPostgresServer(t, settings...)
	t.Cleanup(server.remove)
	server.initialize(t)
	server.Start(t)
	return server
}

// StartStandby starts a second engine that replicates this one. Its application name is "standby".
func (s *PostgresServer) StartStandby(t testing.TB, settings ...string) *PostgresServer {
	t.Helper()
	standby := newPostgresServer(t, settings...)
	t.Cleanup(standby.remove)
	primary := fmt.Sprintf("host=%s user=postgres application_name=standby", s.Folder)
	standby.run(t, "pg_basebackup", "-D", standby.data(), "-d", primary, "-R", "-c", "fast", "--no-sync")
	standby.Start(t)
	return standby
}

// Promote makes a standby a primary. It returns when the engine accepts writes.
func (s *PostgresServer) Promote(t testing.TB) {
	t.Helper()
	s.run(t, "pg_ctl", "promote", "-w", "-s", "-D", s.data())
}

// URL returns the URL of a database.
func (s *PostgresServer) URL(database string) string {
	query := url.Values{"host": {s.Folder}, "user": {"postgres"}}
	return "postgres:///" + database + "?" + query.Encode()
}

// NewDatabase makes an empty database and returns its URL.
func (s *PostgresServer) NewDatabase(t testing.TB) string {
	t.Helper()
	name := fmt.Sprint("test", s.last.Add(1))
	s.Run(t, "CREATE DATABASE "+name)
	return s.URL(name)
}

// Run runs a statement in the database "postgres".
func (s *PostgresServer) Run(t testing.TB, statement string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	connection, err := pgx.Connect(ctx, s.URL("postgres"))
	require.NoError(t, err)
	defer connection.Close(ctx)
	_, err = connection.Exec(ctx, statement)
	require.NoError(t, err)
}

// Start starts the engine, and returns when it answers.
func (s *PostgresServer) Start(t testing.TB) {
	t.Helper()
	s.start(t, false)
}

// supervisor runs the engine until the engine or the standard input ends. It removes the folder, if
// one is named.
const supervisor = `folder=$1
shift
exec 3<&0
"$@" </dev/null 3<&- &
engine=$!
(read -r _ <&3; kill -QUIT $engine) &
reader=$!
exec 3<&-
wait $engine
kill $reader
if [ -n "$folder" ]; then rm -rf "$folder"; fi`

func (s *PostgresServer) start(t testing.TB, remove bool) {
	t.Helper()
	for deadline := time.Now().Add(startTime); ; {
		s.launch(t, remove)
		for time.Now().Before(deadline) && !s.hasEnded() {
			if s.answers() {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		log, _ := os.ReadFile(filepath.Join(s.Folder, "log"))
		s.Stop()
		// The processes of a killed engine may hold its memory for a moment.
		require.True(t, time.Now().Before(deadline) && bytes.Contains(log, []byte("in use")),
			"PostgreSQL does not start:\n%s", log)
	}
}

// launch starts the supervisor.
func (s *PostgresServer) launch(t testing.TB, remove bool) {
	t.Helper()
	log, err := os.Create(filepath.Join(s.Folder, "log"))
	require.NoError(t, err)
	defer log.Close()
	read, write, err := os.Pipe()
	require.NoError(t, err)
	defer read.Close()
	folder := ""
	if remove {
		folder = s.Folder
	}
	arguments := []string{"-c", supervisor, "sh", folder, s.program("postgres"), "-D", s.data(), "-k", s.Folder}
	for _, setting := range append([]string{
		"listen_addresses=", "max_connections=300", "shared_buffers=32MB", "max_wal_senders=4",
	}, s.settings...) {
		arguments = append(arguments, "-c", setting)
	}
	command := exec.Command("sh", arguments...)
	command.SysProcAttr = s.account
	command.Dir = s.Folder
	command.Stdin = read
	command.Stdout = log
	command.Stderr = log
	require.NoError(t, command.Start())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = command.Wait()
	}()
	s.lifeline = write
	s.ended = ended
}

func (s *PostgresServer) hasEnded() bool {
	select {
	case <-s.ended:
		return true
	default:
		return false
	}
}

func (s *PostgresServer) answers() bool {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	connection, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return false
	}
	return connection.Close(ctx) == nil
}

// Kill kills all processes of the engine with SIGKILL.
func (s *PostgresServer) Kill(t testing.TB) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(s.data(), "postmaster.pid"))
	require.NoError(t, err)
	first, _, _ := strings.Cut(string(text), "\n")
	postmaster, err := strconv.Atoi(first)
	require.NoError(t, err)
	// A stopped process starts no more children. A child that survives would keep the memory that
	// the next engine needs.
	require.NoError(t, syscall.Kill(postmaster, syscall.SIGSTOP))
	for _, child := range childrenOf(postmaster) {
		_ = syscall.Kill(child, syscall.SIGKILL)
	}
	require.NoError(t, syscall.Kill(postmaster, syscall.SIGKILL))
	s.Stop()
}

// childrenOf returns the processes that a process has started.
func childrenOf(parent int) (children []int) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, name := range stats {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // the process has ended
		}
		// PID (NAME) STATE PARENT, and the name may have any characters.
		_, rest, _ := strings.Cut(string(text[bytes.LastIndexByte(text, ')')+1:]), " ")
		fields := strings.Fields(rest)
		child, err := strconv.Atoi(filepath.Base(filepath.Dir(name)))
		if err == nil && len(fields) > 1 && fields[1] == strconv.Itoa(parent) {
			children = append(children, child)
		}
	}
	return children
}

// Stop ends the engine at once, if it runs.
func (s *PostgresServer) Stop() {
	if s.lifeline == nil {
		return
	}
	_ = s.lifeline.Close()
	<-s.ended
	s.lifeline = nil
}
