package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mcpentra/fakeentra"
	"mcpentra/fakeentra/internal/verify"
	"mcpentra/fakeentra/internal/verify/proxy"
	"mcpentra/fakeentra/internal/verify/recording"
)

// recordOptions are the flags of fakeentra record.
type recordOptions struct {
	address, caFile, authority, upstreamCA, upstreamProxy string
}

func newRecordCommand() *cobra.Command {
	var options recordOptions
	command := &cobra.Command{
		Use:   "record FILE",
		Short: "Record a program's traffic with Entra ID, masked",
		Long: `Record is a forward proxy on loopback. It passes requests on to the authority and to Microsoft
Graph, and appends each request with its answer to a new FILE. IDs, times, secrets, tokens, codes
and names are replaced by the place where they first occur, so that FILE can be attached to an
issue. It refuses all other hosts.

A program uses the proxy through HTTPS_PROXY. It must trust the CA in --ca-file: SSL_CERT_FILE for
Go, NODE_EXTRA_CA_CERTS for Node.js, REQUESTS_CA_BUNDLE for Python, --cacert for curl. The CA lives
as long as the program, and its private key is never written.

"fakeentra verify --recording FILE" compares the answers with the answers of the fake.

Exit status: 0 ended by Ctrl-C or SIGTERM; 2 usage error, or an address or file that cannot be used.`,
		Example: `  fakeentra record traffic.jsonl --ca-file record-ca.pem
  HTTPS_PROXY=http://localhost:8402 SSL_CERT_FILE=record-ca.pem ./my-program
  fakeentra verify --recording traffic.jsonl`,
		Args: arguments(1, 1, "one FILE"),
		RunE: func(command *cobra.Command, given []string) error {
			if err := options.run(command.Context(), given[0]); err != nil {
				return fmt.Errorf("record: %w", err)
			}
			return nil
		},
	}
	flags := command.Flags()
	flags.SortFlags = false
	flags.StringVar(&options.address, "addr", "localhost:8402", "listen on this loopback `HOST:PORT`")
	flags.StringVar(&options.caFile, "ca-file", "", "write the CA's certificate to `FILE`")
	flags.StringVar(&options.authority, "authority", "https://login.microsoftonline.com",
		"record this authority: a `URL` of Microsoft or of a fake on loopback")
	flags.StringVar(&options.upstreamCA, "upstream-ca-file", "", "also trust the CA in `FILE`, for a fake with TLS")
	flags.StringVar(&options.upstreamProxy, "upstream-proxy", "",
		"send the requests on through the proxy at this `URL`")
	return command
}

// run records until the context ends.
func (o recordOptions) run(ctx context.Context, name string) error {
	host, _, err := net.SplitHostPort(o.address)
	if err != nil || !isLoopback(host) {
		return fmt.Errorf("--addr: want HOST:PORT on loopback, for example localhost:8402, got %q", o.address)
	}
	settings := tenantSettings{authority: strings.TrimSuffix(o.authority, "/"), caFile: o.upstreamCA}
	settings.Tenant = "common"
	if err := settings.check(); err != nil {
		return errors.New(strings.Replace(err.Error(), "AUTH_AUTHORITY", "--authority", 1))
	}
	client, err := verifyOptions{proxy: o.upstreamProxy}.newClient(settings)
	if err != nil {
		return errors.New(strings.NewReplacer("AUTH_CA_FILE", "--upstream-ca-file", "--proxy", "--upstream-proxy").
			Replace(err.Error()))
	}
	if o.upstreamProxy == "" {
		client.Transport.(*http.Transport).Proxy = nil // HTTPS_PROXY may name this proxy
	}
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists; name a new file", name)
	}
	if err != nil {
		return err
	}
	defer file.Close()
	recorder, err := newRecorder(settings.authority, client.Transport, file)
	if err != nil {
		return err
	}
	if o.caFile != "" {
		if err := writeFile(o.caFile, string(recorder.CAPEM()), 0o644); err != nil {
			return fmt.Errorf("--ca-file: %w", err)
		}
	}
	if err := o.serve(ctx, recorder, name); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "fakeentra: %d exchanges in %s\n", recorder.Count(), filepath.Base(name))
	return nil
}

// newRecorder returns the proxy of an authority.
func newRecorder(authority string, transport http.RoundTripper, to io.Writer) (*proxy.Proxy, error) {
	fake, _, err := verify.NewFake(authority, verify.Settings{})
	if err != nil {
		return nil, err
	}
	writer, err := recording.NewWriter(to, verify.HeaderOf(authority))
	if err != nil {
		return nil, err
	}
	return proxy.New(proxy.Config{
		Origins:   verify.Origins(authority, fake.Values["graph"]),
		Transport: transport,
		Masker:    fake.Masker,
		Record:    writer.Write,
		Failed:    func(err error) { fmt.Fprintf(os.Stderr, "fakeentra: %v\n", err) },
	})
}

// serve listens until the context ends.
func (o recordOptions) serve(ctx context.Context, recorder *proxy.Proxy, name string) error {
	listeners, err := fakeentra.ListenLoopback(o.address)
	if err != nil {
		return listenError("--addr", o.address, err)
	}
	server := &http.Server{
		Handler:           recorder,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          log.New(io.Discard, "", 0),
	}
	for _, listener := range listeners {
		go func() { _ = server.Serve(listener) }()
	}
	host, _, _ := net.SplitHostPort(o.address) // checked before
	_, port, _ := net.SplitHostPort(listeners[0].Addr().String())
	address := net.JoinHostPort(host, port)
	fmt.Fprintf(os.Stderr, "fakeentra: recording to %s; set HTTPS_PROXY=http://%s\n", name, address)
	<-ctx.Done()
	shutdown, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	_ = server.Shutdown(shutdown)
	return nil
}
