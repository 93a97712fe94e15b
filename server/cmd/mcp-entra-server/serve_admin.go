package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"

	"mcpentra/server"
	"mcpentra/server/admin"
)

// serveAdmin serves the admin API until the function that it returns is called.
func serveAdmin(s *settings, mcp *server.Server, logger *slog.Logger) (stop func(), err error) {
	if s.admin.address == "" {
		return func() {}, nil
	}
	api, err := mcp.NewAdmin(admin.Config{Secret: s.admin.secret, Hosts: s.admin.hosts(), Logger: logger})
	if err != nil {
		return nil, err
	}
	listeners, err := listen(s.admin.address)
	if err != nil {
		return nil, s.wrong("MCP_ADMIN_ADDR", "%s", explainListen(s.admin.address, err))
	}
	warnOfAdmin(s.admin.address, logger)
	httpServer := &http.Server{
		Handler:           api,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}
	var addresses []string
	ended := make(chan struct{}, len(listeners))
	for _, listener := range listeners {
		addresses = append(addresses, listener.Addr().String())
		go func() {
			_ = httpServer.Serve(listener) // ends with ErrServerClosed
			ended <- struct{}{}
		}()
	}
	fmt.Fprintf(os.Stderr, "mcp-entra-server: admin API on %s\n", strings.Join(addresses, " and "))
	return func() {
		drain, cancel := context.WithTimeout(context.Background(), drainTimeout)
		defer cancel()
		if err := httpServer.Shutdown(drain); err != nil {
			_ = httpServer.Close()
		}
		for range listeners {
			<-ended
		}
	}, nil
}

// warnOfAdmin warns of an admin API that other machines can reach.
func warnOfAdmin(address string, logger *slog.Logger) {
	if !loopbackHost(address) {
		logger.Warn("the admin API listens beyond loopback over plain http, so others on the network can read its "+
			"bearer secret: listen on localhost, or let only a TLS proxy of yours reach it",
			"address", address,
			"setting", "MCP_ADMIN_ADDR")
	}
}
