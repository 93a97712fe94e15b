package engine

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
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

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

// Redis returns the URL of a new, empty store. All tests of a process share one engine, which does
// not wait for its disk.
func Redis(t testing.TB) string {
	t.Helper()
	sharedRedis.once.Do(func() {
		server := newRedisServer(t, "redis-server", "appendfsync no")
		server.launch(t, true)
		sharedRedis.server = server
	})
	require.NotNil(t, sharedRedis.server, "the engine did not start for another test")
	return sharedRedis.server.URL(fmt.Sprint("test", sharedRedis.last.Add(1)))
}

var sharedRedis struct {
	once   sync.Once
	server *RedisServer
	last   atomic.Int64
}

// A RedisServer is an engine of one test, which may kill it and start it again.
type RedisServer struct {
	Folder   string // of the data, the socket and the log
	Port     string // on 127.0.0.1
	program  string
	settings []string
	lifeline *os.File // the supervisor ends the engine when this pipe is closed
	ended    chan struct{}
}

// StartRedis starts an engine that ends with the test. It writes each change to its disk before it
// answers. Settings are lines of redis.conf that come last. PORT in them is the engine's port.
func StartRedis(t testing.TB, settings ...string) *RedisServer {
	t.Helper()
	server := newRedisServer(t, "redis-server", settings...)
	t.Cleanup(server.remove)
	server.Start(t)
	return server
}

// StartReplica starts a second engine that replicates this one, and waits until it does.
func (s *RedisServer) StartReplica(t testing.TB, settings ...string) *RedisServer {
	t.Helper()
	replica := StartRedis(t, append([]string{"replicaof 127.0.0.1 " + s.Port}, settings...)...)
	replica.Becomes(t, "master_link_status:up", "INFO", "replication")
	return replica
}

// StartSentinel starts a sentinel that watches an engine under the name "primary". It promotes a
// replica when the engine has not answered for a time.
func (s *RedisServer) StartSentinel(t testing.TB, silent time.Duration) *RedisServer {
	t.Helper()
	sentinel := newRedisServer(t, "redis-sentinel",
		"sentinel monitor primary 127.0.0.1 "+s.Port+" 1",
		fmt.Sprint("sentinel down-after-milliseconds primary ", silent.Milliseconds()),
		"sentinel failover-timeout primary 5000",
	)
	t.Cleanup(sentinel.remove)
	sentinel.Start(t)
	return sentinel
}

// newRedisServer makes the folder of an engine.
func newRedisServer(t testing.TB, program string, settings ...string) *RedisServer {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		missing(t, program+" (Debian packages redis-server and redis-sentinel)")
	}
	folder, err := os.MkdirTemp("", "mcpentra-redis-")
	require.NoError(t, err)
	return &RedisServer{Folder: folder, program: path, settings: settings}
}

// URL returns the URL of a store behind the engine's socket.
func (s *RedisServer) URL(prefix string) string {
	return "redis+unix://" + s.socket() + "?prefix=" + prefix
}

// Address returns HOST:PORT.
func (s *RedisServer) Address() string { return net.JoinHostPort("127.0.0.1", s.Port) }

func (s *RedisServer) socket() string { return filepath.Join(s.Folder, "s") }

// Run runs a command and returns its answer as text.
func (s *RedisServer) Run(t testing.TB, words ...any) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	client := s.client()
	defer client.Close()
	answer, err := client.Do(ctx, words...).Result()
	require.NoError(t, err)
	return fmt.Sprint(answer)
}

func (s *RedisServer) client() *redis.Client {
	return redis.NewClient(&redis.Options{Network: "unix", Addr: s.socket(), DisableIdentity: true, Protocol: 2})
}

// Start starts the engine with its data, and returns when it answers. Settings come last.
func (s *RedisServer) Start(t testing.TB, settings ...string) {
	t.Helper()
	s.settings = append(s.settings, settings...)
	s.launch(t, false)
}

// launch starts the engine. Redis cannot listen at port 0, so the first start tries ports below
// those that systems assign.
func (s *RedisServer) launch(t testing.TB, remove bool) {
	t.Helper()
	isFirst := s.Port == ""
	for range 20 {
		if isFirst {
			s.Port = strconv.Itoa(15000 + rand.IntN(5000))
		}
		s.spawn(t, remove)
		if s.becomes(pings) {
			return
		}
		if log := s.log(); !strings.Contains(log, "in use") {
			break
		}
		s.Stop()
	}
	t.Fatalf("%s does not start:\n%s", filepath.Base(s.program), s.log())
}

func pings(ctx context.Context, client *redis.Client) bool {
	err := client.Ping(ctx).Err()
	return err == nil || redis.HasErrorPrefix(err, "NOAUTH")
}

func (s *RedisServer) log() string {
	text, _ := os.ReadFile(filepath.Join(s.Folder, "log"))
	return string(text)
}

// killer is the supervisor of an engine that has no handler for SIGQUIT. A background process of a
// shell ignores that signal.
var killer = strings.ReplaceAll(supervisor, "-QUIT", "-KILL")

// spawn starts the supervisor.
func (s *RedisServer) spawn(t testing.TB, remove bool) {
	t.Helper()
	lines := append([]string{
		"bind 127.0.0.1",
		"port " + s.Port,
		"unixsocket " + s.socket(),
		"pidfile " + filepath.Join(s.Folder, "pid"),
		"dir " + s.Folder,
	}, s.settings...)
	if filepath.Base(s.program) == "redis-server" {
		lines = append([]string{
			`save ""`, "appendonly yes", "appendfsync always", "repl-diskless-sync-delay 0",
		}, lines...)
	}
	text := strings.ReplaceAll(strings.Join(lines, "\n")+"\n", "PORT", s.Port)
	name := filepath.Join(s.Folder, "conf")
	require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
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
	command := exec.Command("sh", "-c", killer, "sh", folder, s.program, name)
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

// Becomes waits until the answer to a command contains a text.
func (s *RedisServer) Becomes(t testing.TB, want string, words ...any) {
	t.Helper()
	var answer any
	if !s.becomes(func(ctx context.Context, client *redis.Client) bool {
		var err error
		answer, err = client.Do(ctx, words...).Result()
		return err == nil && strings.Contains(fmt.Sprint(answer), want)
	}) {
		t.Fatalf("%v of %s: want %s, got %v\n%s", words, filepath.Base(s.program), want, answer, s.log())
	}
}

// becomes reports whether the engine gets ready before it ends.
func (s *RedisServer) becomes(ready func(context.Context, *redis.Client) bool) bool {
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	client := s.client()
	defer client.Close()
	for !ready(ctx, client) {
		select {
		case <-ctx.Done():
			return false
		case <-s.ended:
			return false
		case <-time.After(10 * time.Millisecond):
		}
	}
	return true
}

// Signal sends a signal to the engine.
func (s *RedisServer) Signal(t testing.TB, signal syscall.Signal) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(s.Folder, "pid"))
	require.NoError(t, err)
	var pid int
	_, err = fmt.Sscan(string(text), &pid)
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(pid, signal))
}

// Kill kills the engine with SIGKILL.
func (s *RedisServer) Kill(t testing.TB) {
	t.Helper()
	s.Signal(t, syscall.SIGKILL)
	s.Stop()
}

// Stop ends the engine at once, if it runs.
func (s *RedisServer) Stop() {
	if s.lifeline == nil {
		return
	}
	_ = s.lifeline.Close()
	<-s.ended
	s.lifeline = nil
}

// remove ends the engine and removes its folder.
func (s *RedisServer) remove() {
	s.Stop()
	_ = os.RemoveAll(s.Folder)
}
