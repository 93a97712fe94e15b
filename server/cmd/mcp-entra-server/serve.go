package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"mcpentra/server"
	"mcpentra/server/entra"
	"mcpentra/server/loopback"
	"mcpentra/server/upstream"
)

const (
	checkTimeout    = 10 * time.Second // of the first check of Entra
	upstreamTimeout = 2 * time.Second  // of the first connection to the upstream
	drainTimeout    = 10 * time.Second // of requests that run when the program stops
)

// serve runs the server until the context ends.
func serve(ctx context.Context, s *settings, logger *slog.Logger) error {
	listeners, err := listen(s.address)
	if err != nil {
		return s.wrong("MCP_ADDR", "%s", explainListen(s.address, err))
	}
	defer closeAll(listeners)
	if s.publicURL == "" {
		host, _, _ := net.SplitHostPort(s.address)
		_, port, _ := net.SplitHostPort(listeners[0].Addr().String())
		s.publicURL = "http://" + net.JoinHostPort(host, port)
	}
	roots, err := trustedRoots(s.caFile)
	if err != nil {
		return err
	}
	client := outbound(roots)
	s.clients.Documents.RootCAs = roots
	registration := s.registration()
	registration.Credential, err = s.credential(logger)
	if err != nil {
		return err
	}
	config := server.Config{
		PublicURL:              s.publicURL,
		Path:                   s.path,
		AllowedOrigins:         s.allowedOrigins,
		Version:                version(),
		TrustedProxies:         s.trustedProxies,
		Entra:                  registration,
		Direct:                 s.direct,
		Scopes:                 s.apiScopes(),
		Resources:              s.resources,
		Upstream:               s.upstream,
		UpstreamHeaders:        s.upstreamHeaders,
		UpstreamQuery:          s.upstreamQuery,
		Stateful:               s.stateful,
		LegacySSE:              s.legacySSE,
		MaxCall:                s.maxCall,
		Limits:                 s.limits,
		RegistrationsPerMinute: s.registrations,
		BrokerLimits:           s.brokerLimits,
		Clients:                s.clients,
		HTTPClient:             client,
		Logger:                 logger,
	}
	keysFile, err := openRecords(ctx, s, &config, logger)
	if config.Store != nil {
		defer config.Store.Close()
	}
	if err != nil {
		return err
	}
	mcp, err := server.New(ctx, config)
	if err != nil {
		return err
	}
	reached, err := checkEntra(ctx, mcp)
	if err != nil {
		return err
	}
	if !loopbackHost(s.address) && strings.HasPrefix(s.publicURL, "http://") {
		logger.Warn("listening beyond loopback, but the public URL is on loopback", "address", s.address,
			"public_url", s.publicURL)
	}
	if s.upstream != "" {
		checkUpstream(ctx, s.upstream, logger)
	}
	stopAdmin, err := serveAdmin(s, mcp, logger)
	if err != nil {
		return err
	}
	defer stopAdmin()
	background := []func(context.Context){func(ctx context.Context) { _ = mcp.Maintain(ctx) }}
	if !reached {
		background = append(background, func(ctx context.Context) { watchEntra(ctx, mcp, logger) })
	}
	if keysFile != "" {
		background = append(background, func(ctx context.Context) { watchKeys(ctx, keysFile, config.Keys, logger) })
	}
	return listenAndServe(ctx, listeners, mcp, background, logger)
}

func closeAll(listeners []net.Listener) {
	for _, listener := range listeners {
		_ = listener.Close()
	}
}

// openRecords gives the config its store and the keys, and returns the name of the keys file. In
// direct mode there is no store. After an error the config may have a store.
func openRecords(ctx context.Context, s *settings, config *server.Config, logger *slog.Logger) (string, error) {
	if s.direct != nil {
		if s.keysFile == "" {
			return "", nil
		}
		keys, err := readKeys(s.keysFile)
		config.Keys = keys
		return s.keysFile, err
	}
	at, err := s.locateStore()
	if err != nil {
		return "", err
	}
	// Wrong settings must not leave a store file behind.
	if _, err := server.New(ctx, *config); err != nil {
		return "", err
	}
	kept, keys, err := openStore(ctx, s, logger)
	if err != nil {
		return "", err
	}
	config.Store = kept
	config.Keys = keys
	if at.kind != "memory" {
		err = raiseEpoch(ctx, kept, keys, at.keysFile, logger)
	}
	return at.keysFile, err
}

// watchEntra waits until Entra has answered.
func watchEntra(ctx context.Context, mcp *server.Server, logger *slog.Logger) {
	if err := mcp.Watch(ctx); err != nil && ctx.Err() == nil {
		logger.Error("entra refuses this server's settings", "error", err)
	}
}

// checkEntra asks Entra whether the settings are right. A refusal ends the program. An unreachable
// issuer does not, because it may come back; Watch asks again and logs that.
func checkEntra(ctx context.Context, mcp *server.Server) (reached bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	err = mcp.Check(ctx)
	var unavailable *entra.UnavailableError
	if errors.As(err, &unavailable) {
		return false, nil
	}
	return err == nil, err
}

// checkUpstream warns of an upstream that is unreachable, or reached over plain http.
func checkUpstream(ctx context.Context, address string, logger *slog.Logger) {
	target, err := url.Parse(address)
	if err != nil {
		return // server.New has refused it
	}
	if target.Scheme == "http" && !loopback.IsHost(target.Hostname()) {
		logger.Warn("requests and answers reach the upstream over plain http, so others can read them",
			"upstream", upstream.Address(target))
	}
	ctx, cancel := context.WithTimeout(ctx, upstreamTimeout)
	defer cancel()
	port := cmp.Or(target.Port(), target.Scheme)
	connection, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(target.Hostname(), port))
	if err != nil {
		logger.Warn("the upstream cannot be reached; the server runs, but calls fail until it can be reached",
			"upstream", upstream.Address(target), "error", err)
		return
	}
	_ = connection.Close()
}

func listenAndServe(
	ctx context.Context,
	listeners []net.Listener,
	mcp *server.Server,
	background []func(context.Context),
	logger *slog.Logger,
) error {
	httpServer := &http.Server{
		Handler:           logged(mcp, logger),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}
	working, stopWork := context.WithCancel(ctx)
	defer stopWork()
	var work sync.WaitGroup
	for _, one := range background {
		work.Go(func() { one(working) })
	}
	ended := make(chan error, len(listeners))
	for _, listener := range listeners {
		go func() { ended <- httpServer.Serve(server.NewListener(listener, 0)) }()
	}
	var addresses []string
	for _, listener := range listeners {
		addresses = append(addresses, listener.Addr().String())
	}
	fmt.Fprintf(os.Stderr, "mcp-entra-server: serving %s (listening on %s)\n", mcp.Resource(),
		strings.Join(addresses, " and "))
	var failed error
	select {
	case <-ctx.Done():
	case failed = <-ended:
	}
	stopWork()
	work.Wait()
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	if err := httpServer.Shutdown(drain); err != nil {
		_ = httpServer.Close()
	}
	if failed != nil && !errors.Is(failed, http.ErrServerClosed) {
		return failed
	}
	return nil
}

// trustedRoots returns the system's roots together with the certificates of a file. Without a file
// it returns nil, which means the system's roots.
func trustedRoots(caFile string) (*x509.CertPool, error) {
	if caFile == "" {
		return nil, nil
	}
	text, err := os.ReadFile(caFile)
	if err != nil {
		return nil, fmt.Errorf("AUTH_CA_FILE: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("AUTH_CA_FILE is %s, but the file contains no certificate in PEM", caFile)
	}
	return pool, nil
}

// outbound returns the client for Entra and Graph.
func outbound(roots *x509.CertPool) *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxResponseHeaderBytes = 64 << 10
	transport.MaxIdleConnsPerHost = 16
	if roots != nil {
		transport.TLSClientConfig = &tls.Config{RootCAs: roots}
	}
	return &http.Client{Transport: transport, Timeout: 30 * time.Second}
}

// logged logs each request at debug level, without the query, which may contain a code or a state.
func logged(next http.Handler, logger *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !logger.Enabled(r.Context(), slog.LevelDebug) {
			next.ServeHTTP(w, r)
			return
		}
		began := time.Now()
		answer := &statusWriter{ResponseWriter: w}
		next.ServeHTTP(answer, r)
		took := time.Since(began).Round(time.Microsecond)
		logger.DebugContext(r.Context(), "request", "method", r.Method, "path", r.URL.Path,
			"status", answer.status, "took", took.String())
	})
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(text []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(text)
}

// Unwrap lets http.ResponseController flush streams.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
