package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mcpentra/fakeentra"
)

// defaultURL is the address of a fake without flags.
const defaultURL = "http://localhost:8400"

// urlVariable names the environment variable with the address of the fake.
const urlVariable = "FAKEENTRA_URL"

func newHealthCommand() *cobra.Command {
	var caFile string
	var timeout time.Duration
	command := &cobra.Command{
		Use:   "health [URL]",
		Short: "Tell whether a fake answers",
		Long: `Health asks a running fake whether it is ready, for the health checks of containers without a
shell. It asks at URL, or else at $FAKEENTRA_URL, or else at http://localhost:8400. The request gets
no faults, and the journal does not list it.

Exit status: 0 the fake is ready; 1 it does not answer, or another program does; 2 usage error.`,
		Example: `  fakeentra health
  fakeentra health --ca-file ca.pem https://localhost:8400
  HEALTHCHECK CMD ["/fakeentra", "health"]`,
		Args: arguments(0, 1, "one URL or nothing"),
		RunE: func(command *cobra.Command, given []string) error {
			address := os.Getenv(urlVariable)
			if address == "" {
				address = defaultURL
			}
			if len(given) > 0 {
				address = given[0]
			}
			target, err := url.Parse(address)
			if err != nil || target.Host == "" || target.Scheme != "http" && target.Scheme != "https" {
				return fmt.Errorf("health: want an http or https URL such as %s, got %q", defaultURL, address)
			}
			client, err := healthClient(caFile)
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(command.Context(), timeout)
			defer cancel()
			if err := askHealth(ctx, client, strings.TrimSuffix(address, "/")); err != nil {
				return &exitError{exitNo, fmt.Errorf("health: %w", err)}
			}
			return nil
		},
	}
	flags := command.Flags()
	flags.SortFlags = false
	flags.StringVar(&caFile, "ca-file", "", "trust the CA in this `FILE` alone, written by fakeentra --ca-file")
	flags.DurationVar(&timeout, "timeout", 3*time.Second, "give up after this long")
	return command
}

// healthClient returns a client that goes to the fake without a proxy. With a file it trusts the CA
// in it alone.
func healthClient(caFile string) (*http.Client, error) {
	transport := &http.Transport{DisableKeepAlives: true}
	if caFile != "" {
		text, err := os.ReadFile(caFile)
		if err != nil {
			return nil, fmt.Errorf("health: --ca-file: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("health: --ca-file: want certificates in PEM, but %s has none", caFile)
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &http.Client{Transport: transport, CheckRedirect: stay}, nil
}

// askHealth asks a fake whether it is ready.
func askHealth(ctx context.Context, client *http.Client, address string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address+fakeentra.HealthPath, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<10))
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK || string(body) != fakeentra.HealthText {
		return errors.New("another program answers at " + address + "; want a fakeentra there")
	}
	return nil
}
