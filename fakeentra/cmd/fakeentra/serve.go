package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"mcpentra/fakeentra"
)

type serveOptions struct {
	address, envFile, caFile, publicURL string
	tls, autoSignIn, expose, quiet      bool
}

// serve listens until the context ends.
func serve(ctx context.Context, options serveOptions, logger *slog.Logger) error {
	host, _, err := net.SplitHostPort(options.address)
	if err != nil {
		return fmt.Errorf("--addr: want HOST:PORT such as localhost:8400, got %q", options.address)
	}
	if ip := net.ParseIP(host); !options.expose && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("--addr %s: other machines could reach it and sign in as anybody; say --expose if that is meant", options.address)
	}
	if options.caFile != "" && !options.tls {
		return errors.New("--ca-file needs --tls")
	}
	config := fakeentra.Config{PublicURL: options.publicURL, AutoSignIn: options.autoSignIn}
	if !options.quiet {
		config.Logger = logger
	}
	server, err := fakeentra.Listen(config, options.address, options.tls)
	if err != nil {
		return errors.New(strings.TrimPrefix(err.Error(), "fakeentra: "))
	}
	defer server.Close()
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
	if options.envFile != "" {
		fmt.Fprintf(os.Stderr, "fakeentra: wrote %s; start mcp-entra-server in that folder\n", options.envFile)
	}
	<-ctx.Done()
	shutdown, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	_ = server.Shutdown(shutdown)
	return nil
}

// environment is the .env for the server, which a shell can source too.
func environment(server *fakeentra.Server, options serveOptions) string {
	tenant := server.Tenant()
	var text strings.Builder
	fmt.Fprintf(&text, "# Points mcp-entra-server at the fake on %s. Written by fakeentra; holds no real secret.\n", server.URL)
	set := func(key, value string) { fmt.Fprintf(&text, "%s=%s\n", key, quote(value)) }
	set("AUTH_TENANT_ID", tenant.ID)
	set("AUTH_CLIENT_ID", tenant.Apps[0].ID)
	if len(tenant.Apps[0].Secrets) > 0 {
		set("AUTH_CLIENT_SECRET", tenant.Apps[0].Secrets[0])
	}
	set("AUTH_AUTHORITY", server.Authority())
	set("AUTH_GRAPH_URL", server.GraphURL())
	if options.caFile != "" {
		if absolute, err := filepath.Abs(options.caFile); err == nil {
			set("AUTH_CA_FILE", absolute)
		}
	}
	return text.String()
}

// quote leaves plain values alone and puts others into single quotes, which a shell and a .env reader understand alike.
func quote(value string) string {
	if strings.Trim(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:/@") == "" {
		return value
	}
	return "'" + strings.ReplaceAll(value, "'", `'\''`) + "'"
}

// writeFile replaces a file as a whole, so that whoever waits for it never reads half of it.
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
