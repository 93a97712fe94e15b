package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"time"

	"github.com/spf13/pflag"

	"mcpentra/conformance/issuers"
	"mcpentra/conformance/issuers/rig"
	"mcpentra/conformance/loopback"
)

// upstreamOptions are the flags about a third party that the command plays.
type upstreamOptions struct {
	address string
	claims  string
	start   string
}

func (o *upstreamOptions) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(
		&o.address,
		"rig",
		"",
		"play the third party where people sign in, at `HOST:PORT`; each path below is an issuer",
	)
	flags.StringVar(&o.claims, "rig-claims", "", "more claims of the person at the rig, a `JSON` object")
	flags.StringVar(
		&o.start,
		"rig-start",
		"",
		"start servers with this `COMMAND`; {issuer}, {url} and {port} are replaced",
	)
}

// open starts the third party and, with --rig-start, the server. It fills the target. The caller
// calls stop at the end.
func (o *upstreamOptions) open(ctx context.Context, target *issuers.Target, log io.Writer) (stop func(), err error) {
	claims, err := readClaims(o.claims)
	if err != nil {
		return nil, err
	}
	command, err := splitWords(o.start)
	if err != nil {
		return nil, fmt.Errorf("--rig-start: %w", err)
	}
	provider, err := rig.Listen(rig.Config{Address: o.address, Claims: claims})
	if err != nil {
		return nil, fmt.Errorf("--rig: %w", err)
	}
	target.Upstream = provider
	s := &starter{command: command}
	if command == nil {
		fmt.Fprintf(log, "mcp-auth-conformance: the third party is %s\n", provider.URL)
		if err := awaitServer(ctx, target.URL, time.Minute, nil); err != nil {
			provider.Close()
			return nil, fmt.Errorf("--rig: %w", err)
		}
		return provider.Close, nil
	}
	server, err := s.run(ctx, provider.URL, target.URL)
	if err != nil {
		provider.Close()
		return nil, fmt.Errorf("--rig-start: %w", err)
	}
	original := *target
	target.Start = func(ctx context.Context, upstream string) (*issuers.Started, error) {
		return s.another(ctx, original, upstream)
	}
	return func() {
		server.stop()
		provider.Close()
	}, nil
}

// another starts another server, on a free port, for one check.
func (s *starter) another(ctx context.Context, target issuers.Target, upstream string) (*issuers.Started, error) {
	at, err := url.Parse(target.URL)
	if err != nil {
		return nil, err
	}
	port, release, err := loopback.ReservePort()
	if err != nil {
		return nil, err
	}
	at.Host = net.JoinHostPort(at.Hostname(), port)
	server, err := s.run(context.WithoutCancel(ctx), upstream, at.String())
	if err != nil {
		release()
		return nil, err
	}
	target.URL = at.String()
	end := func() {
		server.stop()
		release()
	}
	return &issuers.Started{Target: target, Close: end}, nil
}
