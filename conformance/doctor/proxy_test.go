package doctor_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mcpentra/conformance/loopback/loopbacktest"

	"github.com/stretchr/testify/require"
)

// A proxy is an nginx or a Caddy in front of a server. It runs without privileges, with its files
// in a folder of the test, and keeps its port when it starts again.
type proxy struct {
	t      *testing.T
	kind   string // nginx or caddy
	path   string // of the program
	port   string
	folder string
	isTLS  bool // with cert.pem and key.pem in the folder
	end    func()
}

// newProxy chooses the port of a proxy, which start starts. Without the program it skips the test.
func newProxy(t *testing.T, kind string) *proxy {
	t.Helper()
	path := programOf(t, kind)
	port := loopbacktest.Port(t)
	return &proxy{t: t, kind: kind, path: path, port: port, folder: t.TempDir()}
}

// programOf returns the path of a proxy's program. Debian installs nginx where only root looks.
func programOf(t *testing.T, kind string) string {
	t.Helper()
	for _, name := range []string{kind, "/usr/sbin/" + kind} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	require.NotEqual(t, "true", os.Getenv("CI"), "%s is missing (Debian: %s)", kind, kind)
	t.Skipf("%s is not installed (Debian: %s)", kind, kind)
	return ""
}

func (p *proxy) origin() string {
	if p.isTLS {
		return "https://localhost:" + p.port
	}
	return "http://localhost:" + p.port
}

// start starts the proxy with the lines of its site, in place of a running one. It returns when the
// proxy listens.
func (p *proxy) start(site string) {
	p.t.Helper()
	p.stop()
	name := filepath.Join(p.folder, "proxy.conf")
	var config, ready string
	var arguments []string
	if p.kind == "nginx" {
		config = p.nginxFile(site)
		arguments = []string{"-e", "stderr", "-p", p.folder, "-c", name}
		ready = "getrlimit" // nginx says this after it has opened its listeners
	} else {
		config = p.caddyFile(site)
		arguments = []string{"run", "--config", name, "--adapter", "caddyfile"}
		ready = "serving initial configuration"
	}
	require.NoError(p.t, os.WriteFile(name, []byte(config), 0o600))
	p.run(arguments, ready)
}

// stop ends the proxy that runs, if any.
func (p *proxy) stop() {
	if p.end != nil {
		p.end()
		p.end = nil
	}
}

// nginxFile returns a configuration of one process that stays in the foreground.
func (p *proxy) nginxFile(site string) string {
	var temporary strings.Builder
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		fmt.Fprintf(&temporary, "\t%s_temp_path %s/%s;\n", kind, p.folder, kind)
	}
	listen := fmt.Sprintf("\t\tlisten 127.0.0.1:%s;\n\t\tlisten [::1]:%s;\n", p.port, p.port)
	if p.isTLS {
		listen = strings.ReplaceAll(listen, ";", " ssl;") +
			"\t\tssl_certificate cert.pem;\n\t\tssl_certificate_key key.pem;\n"
	}
	return "daemon off;\nmaster_process off;\npid nginx.pid;\nerror_log stderr notice;\n" +
		"events {}\nhttp {\n\taccess_log off;\n" + temporary.String() +
		"\tserver {\n" + listen + indented(site, "\t\t") + "\t}\n}\n"
}

// caddyFile returns a configuration without the admin endpoint.
func (p *proxy) caddyFile(site string) string {
	tls := ""
	if p.isTLS {
		tls = fmt.Sprintf("\ttls %s/cert.pem %s/key.pem\n", p.folder, p.folder)
	}
	return "{\n\tadmin off\n\tauto_https off\n}\n" + p.origin() + " {\n\tbind 127.0.0.1 [::1]\n" + tls +
		indented(site, "\t") + "}\n"
}

func indented(lines, indent string) string {
	return indent + strings.ReplaceAll(strings.TrimSpace(lines), "\n", "\n"+indent) + "\n"
}

// run runs the program until stop or the end of the test. It returns when the output has the text.
func (p *proxy) run(arguments []string, ready string) {
	p.t.Helper()
	program := exec.Command(p.path, arguments...)
	program.Env = []string{"HOME=" + p.folder, "PATH=" + os.Getenv("PATH")}
	output := &waitingWriter{text: ready, seen: make(chan struct{})}
	program.Stdout = output
	program.Stderr = output
	require.NoError(p.t, program.Start())
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		_ = program.Wait()
	}()
	p.end = func() {
		_ = program.Process.Kill() // its files are temporary, and it is one process
		<-exited
	}
	p.t.Cleanup(p.stop)
	select {
	case <-output.seen:
	case <-exited:
		require.Fail(p.t, "the proxy does not start", "%s", output.String())
	case <-time.After(time.Minute):
		require.Fail(p.t, "the proxy does not get ready", "%s", output.String())
	}
}
