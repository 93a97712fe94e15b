package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/admin"
	"mcpentra/fakeentra/directory"
)

// gcPercent keeps the program small. Signing takes far longer than frequent garbage collection.
const gcPercent = 40

// serve listens until the context ends. It checks every setting first, so that mistakes show even
// if the port is taken.
func serve(ctx context.Context, options serveOptions, logger *slog.Logger) error {
	config, watched, err := options.check()
	if err != nil {
		return err
	}
	if !options.quiet {
		config.Logger = logger
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	server, err := fakeentra.Listen(config, options.address, options.tls)
	if err != nil {
		return listenError("--addr", options.address, err)
	}
	defer server.Close()
	if options.clock != "" {
		frozen, err := time.Parse(time.RFC3339, options.clock)
		if err != nil {
			return err // checked above
		}
		server.Freeze(frozen)
	}
	if watched != nil {
		if err := server.Inject(watched.file.Faults...); err != nil {
			return err // checked when the file was read
		}
	}
	control, err := listenAdmin(options.admin, server.Fake)
	if err != nil {
		return err
	}
	defer control.close()
	if options.caFile != "" {
		if err := writeFile(options.caFile, string(server.CAPEM()), 0o644); err != nil {
			return fmt.Errorf("--ca-file: %w", err)
		}
	}
	if options.envFile != "" {
		if err := writeFile(options.envFile, environment(server, options), 0o600); err != nil {
			return fmt.Errorf("--write-env: %w", err)
		}
	}
	fmt.Fprintf(os.Stderr, "fakeentra: listening on %s\n", server.URL)
	if control.url != "" {
		fmt.Fprintf(os.Stderr, "fakeentra: admin API on %s\n", control.url)
	}
	if options.envFile != "" {
		fmt.Fprintf(os.Stderr, "fakeentra: wrote %s; start mcp-entra-server in that folder\n", options.envFile)
	}
	if watched != nil {
		warn(os.Stderr, watched.file)
		watched.follow(ctx, server.Fake)
	}
	<-ctx.Done()
	shutdown, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	_ = server.Shutdown(shutdown)
	return nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// loopbackClient reaches loopback only, even if a directory file or a redirect names another host.
func loopbackClient() *http.Client {
	dialer := net.Dialer{Control: func(_, address string, _ syscall.RawConn) error {
		if host, _, err := net.SplitHostPort(address); err != nil || !isLoopback(host) {
			return fmt.Errorf("%s is not on loopback; the fake fetches keys from loopback issuers only", address)
		}
		return nil
	}}
	return &http.Client{Transport: &http.Transport{
		DialContext:     dialer.DialContext,
		MaxIdleConns:    10,
		IdleConnTimeout: time.Minute,
	}}
}

// A controller is the admin API on its own port. The zero value serves nothing.
type controller struct {
	url  string
	http *http.Server
}

func listenAdmin(address string, fake *fakeentra.Fake) (controller, error) {
	if address == "" {
		return controller{}, nil
	}
	listeners, err := fakeentra.ListenLoopback(address)
	if err != nil {
		return controller{}, listenError("--admin-addr", address, err)
	}
	host, _, _ := net.SplitHostPort(address) // checked before
	_, port, _ := net.SplitHostPort(listeners[0].Addr().String())
	c := controller{
		url: "http://" + net.JoinHostPort(host, port),
		http: &http.Server{
			Handler:           admin.Handler(fake),
			ReadHeaderTimeout: 10 * time.Second,
			ReadTimeout:       time.Minute,
			IdleTimeout:       time.Minute,
			MaxHeaderBytes:    64 << 10,
		},
	}
	for _, listener := range listeners {
		go func() { _ = c.http.Serve(listener) }()
	}
	return c, nil
}

func (c controller) close() {
	if c.http != nil {
		_ = c.http.Close()
	}
}

// environment is the .env for the server, which a shell can source too.
func environment(server *fakeentra.Server, options serveOptions) string {
	tenant := server.Tenant()
	authority := server.Authority()
	graph := server.GraphURL()
	if options.backchannelURL != "" {
		authority = options.backchannelURL
		graph = options.backchannelURL
	}
	var text strings.Builder
	fmt.Fprintf(&text, "# Points mcp-entra-server at the fake on %s. %s; holds no real secret.\n",
		server.URL, envFileMark)
	set := func(key, value string) { fmt.Fprintf(&text, "%s=%s\n", key, quote(value)) }
	set("AUTH_TENANT_ID", tenant.ID)
	if len(tenant.Apps) > 0 {
		set("AUTH_CLIENT_ID", tenant.Apps[0].ID)
		if len(tenant.Apps[0].Secrets) > 0 {
			set("AUTH_CLIENT_SECRET", tenant.Apps[0].Secrets[0])
		}
	}
	set("AUTH_AUTHORITY", authority)
	set("AUTH_GRAPH_URL", graph)
	if options.caFile != "" {
		if absolute, err := filepath.Abs(options.caFile); err == nil {
			set("AUTH_CA_FILE", absolute)
		}
	}
	writeDirectMode(&text, tenant)
	fmt.Fprintf(&text, "\n# Managed identity, for DefaultAzureCredential of Azure's libraries.\n")
	for _, variable := range server.IdentityEnvironment() {
		name, value, _ := strings.Cut(variable, "=")
		fmt.Fprintf(&text, "#%s=%s\n", name, quote(value))
	}
	return text.String()
}

// writeDirectMode adds the settings of direct mode as comments, if the directory has an API for it.
func writeDirectMode(text *strings.Builder, tenant directory.Tenant) {
	for _, app := range tenant.Apps {
		if len(app.Scopes) == 0 || len(app.PublicClient) == 0 {
			continue
		}
		fmt.Fprintf(text, "\n# Direct mode: use these in place of the same keys above. "+
			"Clients sign in as MCP_CLIENT_ID=%s.\n", app.ID)
		fmt.Fprintf(text, "#AUTH_MODE=direct\n#AUTH_CLIENT_ID=%s\n", app.ID)
		if len(app.Secrets) > 0 {
			fmt.Fprintf(text, "#AUTH_CLIENT_SECRET=%s\n", quote(app.Secrets[0]))
		}
		fmt.Fprintf(text, "#AUTH_SCOPES=%s\n", quote(app.Scopes[0].Name))
		return
	}
}

// quote leaves plain values alone and puts others into single quotes, which a shell and a .env
// reader both understand.
func quote(value string) string {
	if strings.Trim(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:/@") == "" {
		return value
	}
	return "'" + strings.ReplaceAll(value, "'", `'\''`) + "'"
}

// writeFile replaces a file as a whole, so that a waiting program never reads half of it.
func writeFile(name, text string, mode os.FileMode) error {
	temporary, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+"-")
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name())
	if err = temporary.Chmod(mode); err == nil {
		_, err = temporary.WriteString(text)
	}
	if closing := temporary.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return err
	}
	return os.Rename(temporary.Name(), name)
}
