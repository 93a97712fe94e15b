package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"mcpentra/conformance/loopback"
	"mcpentra/conformance/servers"
	"mcpentra/conformance/servers/rig"
)

// rigOptions are the flags about an issuer that the command plays.
type rigOptions struct {
	address  string
	audience string
	scopes   []string
	claims   string
	alg      string
	secret   string
	start    string
}

func (o *rigOptions) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(
		&o.address,
		"rig",
		"",
		"play the server's issuer at `HOST:PORT`; point the server at http://HOST:PORT before or after",
	)
	flags.StringVar(&o.audience, "rig-audience", "", "the `AUDIENCE` of the rig's tokens (default the server's URL)")
	flags.StringSliceVar(&o.scopes, "rig-scope", nil, "a `SCOPE` of the rig's good tokens; can be repeated")
	flags.StringVar(&o.claims, "rig-claims", "", "more claims of the rig's tokens, a `JSON` object")
	flags.StringVar(&o.alg, "rig-alg", "RS256", "sign the rig's tokens with this `ALG`: RS256, PS256, ES256 or HS256")
	flags.StringVar(
		&o.secret,
		"rig-secret",
		"",
		"the secret for --rig-alg HS256 is in this `FILE`; the server has it too",
	)
	flags.StringVar(
		&o.start,
		"rig-start",
		"",
		"start servers with this `COMMAND`; {issuer}, {audience}, {url} and {port} are replaced",
	)
}

// startTime bounds the time until a server answers that the command has started.
const startTime = 20 * time.Second

// A rigged is a run against a server whose issuer the command plays.
type rigged struct {
	starter
	options rigOptions
	claims  map[string]any
	secret  []byte
	target  servers.Target
}

// A starter starts servers with the command of --rig-start.
type starter struct {
	command  []string // nil means that the operator starts the server
	audience string   // of tokens; empty means the server's address
}

// readClaims reads the value of --rig-claims.
func readClaims(text string) (map[string]any, error) {
	claims := map[string]any{}
	if text == "" {
		return claims, nil
	}
	if err := json.Unmarshal([]byte(text), &claims); err != nil {
		return nil, fmt.Errorf("--rig-claims: want a JSON object: %w", err)
	}
	return claims, nil
}

// open starts the issuer and, with --rig-start, the server. It fills the target. The caller calls
// stop at the end.
func (o *rigOptions) open(ctx context.Context, target *servers.Target, log io.Writer) (stop func(), err error) {
	r := &rigged{options: *o, starter: starter{audience: o.audience}}
	r.claims, err = readClaims(o.claims)
	if err != nil {
		return nil, err
	}
	r.secret, err = o.readSecret()
	if err != nil {
		return nil, fmt.Errorf("--rig-secret: %w", err)
	}
	r.command, err = splitWords(o.start)
	if err != nil {
		return nil, fmt.Errorf("--rig-start: %w", err)
	}
	issuer, err := r.listen(o.address, target.URL)
	if err != nil {
		return nil, fmt.Errorf("--rig: %w", err)
	}
	stop = issuer.Close
	if r.command != nil {
		server, err := r.run(ctx, issuer.URL, target.URL)
		if err != nil {
			issuer.Close()
			return nil, fmt.Errorf("--rig-start: %w", err)
		}
		stop = func() {
			server.stop()
			issuer.Close()
		}
	} else {
		fmt.Fprintf(log, "mcp-auth-conformance: the issuer is %s, its keys are at %s/keys\n", issuer.URL, issuer.URL)
		if err := awaitServer(ctx, target.URL, time.Minute, nil); err != nil {
			issuer.Close()
			return nil, fmt.Errorf("--rig: %w", err)
		}
	}
	issuer.Fill(target)
	r.target = *target
	if r.command != nil && r.secret == nil { // with a secret there is no key set to change
		target.Fixture = r.fixture
	}
	return stop, nil
}

// readSecret reads the secret of HS256, without the last line break. It returns nil if another
// algorithm needs none.
func (o *rigOptions) readSecret() ([]byte, error) {
	switch isNeeded := o.alg == "HS256"; {
	case isNeeded && o.secret == "":
		return nil, errors.New("want a file with the secret for --rig-alg HS256")
	case !isNeeded && o.secret != "":
		return nil, errors.New("only --rig-alg HS256 uses a secret; give that too")
	case !isNeeded:
		return nil, nil
	}
	return readSecretFile(o.secret)
}

// readSecretFile reads a secret, without the last line break.
func readSecretFile(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxToken {
		return nil, fmt.Errorf("%s: want one secret, at most %d bytes, got %d bytes", name, maxToken, info.Size())
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	text = bytes.TrimRight(text, "\r\n")
	if len(text) == 0 {
		return nil, fmt.Errorf("%s: want a secret, got an empty file", name)
	}
	return text, nil
}

func (r *rigged) listen(address, audience string) (*rig.Issuer, error) {
	if r.audience != "" {
		audience = r.audience
	}
	return rig.Listen(rig.Config{
		Address:   address,
		Audience:  audience,
		Scopes:    r.options.scopes,
		Claims:    r.claims,
		Algorithm: r.options.alg,
		Secret:    r.secret,
	})
}

// fixture starts an issuer and a server for one check, on other ports.
func (r *rigged) fixture(ctx context.Context) (*servers.Fixture, error) {
	host, _, err := net.SplitHostPort(r.options.address)
	if err != nil {
		return nil, err
	}
	at, err := url.Parse(r.target.URL)
	if err != nil {
		return nil, err
	}
	port, release, err := loopback.ReservePort()
	if err != nil {
		return nil, err
	}
	at.Host = net.JoinHostPort(at.Hostname(), port)
	issuer, err := r.listen(net.JoinHostPort(host, "0"), at.String())
	if err != nil {
		release()
		return nil, err
	}
	server, err := r.run(context.WithoutCancel(ctx), issuer.URL, at.String())
	if err != nil {
		issuer.Close()
		release()
		return nil, err
	}
	target := r.target
	target.URL = at.String()
	target.Fixture = nil
	target.Tokens = nil
	target.Mint = nil
	fixture := issuer.Fixture(target)
	fixture.Close = func() {
		server.stop()
		issuer.Close()
		release()
	}
	return fixture, nil
}

// A startedServer is a server that the command has started.
type startedServer struct {
	cancel context.CancelFunc
	done   chan struct{}
}

// stop kills the server and waits for its end.
func (s *startedServer) stop() {
	s.cancel()
	<-s.done
}

// run starts a server at an address and waits until it answers.
func (s *starter) run(ctx context.Context, issuer, address string) (*startedServer, error) {
	at, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	audience := s.audience
	if audience == "" {
		audience = address
	}
	replace := strings.NewReplacer("{issuer}", issuer, "{audience}", audience, "{url}", address, "{port}", at.Port())
	words := make([]string, len(s.command))
	for i, word := range s.command {
		words[i] = replace.Replace(word)
	}
	running, cancel := context.WithCancel(ctx)
	command := exec.CommandContext(running, words[0], words[1:]...)
	command.Env = os.Environ()
	output := &tail{}
	command.Stdout = output
	command.Stderr = output
	command.WaitDelay = 5 * time.Second
	if err := command.Start(); err != nil {
		cancel()
		return nil, err
	}
	server := &startedServer{cancel: cancel, done: make(chan struct{})}
	go func() {
		_ = command.Wait()
		close(server.done)
	}()
	if err := awaitServer(ctx, address, startTime, server.done); err != nil {
		server.stop()
		return nil, fmt.Errorf("%w; its last output: %q", err, output.text)
	}
	return server, nil
}

// A tail keeps the end of a program's output.
type tail struct{ text []byte }

// maxTail bounds a tail, in bytes.
const maxTail = 500

func (t *tail) Write(text []byte) (int, error) {
	t.text = append(t.text, text...)
	t.text = t.text[max(0, len(t.text)-maxTail):]
	return len(text), nil
}

// awaitServer waits until a server answers. Done is closed if the server ends. It may be nil.
func awaitServer(ctx context.Context, address string, limit time.Duration, done <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			return err
		}
		response, err := client.Do(request)
		if err == nil {
			return response.Body.Close()
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-done:
			return errors.New("want a server that keeps running, but the command ended")
		case <-ctx.Done():
			return fmt.Errorf("want an answer from %s within %v: %w", address, limit, err)
		}
	}
}
