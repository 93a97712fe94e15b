package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"mcpentra/conformance/check"
	"mcpentra/conformance/issuers"
	"mcpentra/conformance/servers/signin"
)

type issuerOptions struct {
	scripted      bool
	signIn        bool
	fields        []string
	client        registeredClient
	keyClient     keyClientOptions
	resource      string
	otherResource string
	scopes        []string
	run           runOptions
	revisions     []string
	caFile        string
	timeout       time.Duration // of the server's first answer
	signInTimeout time.Duration
	rig           upstreamOptions
	documents     documentOptions
}

func newIssuerCommand() *cobra.Command {
	options := issuerOptions{}
	command := &cobra.Command{
		Use:   "issuer URL",
		Short: "Run the checks against an authorization server",
		Long: `Issuer runs the checks against the authorization server whose issuer identifier is URL.

The checks register clients. If clients cannot register themselves, give one with --client-id. For
the checks of assertions (private_key_jwt), --key-client names one that is registered with a key.

Most checks need a sign-in. Give the values of the sign-in form with --field, by the names of its
inputs in the HTML. A scripted person types them, and presses the first button that does not
decline. To decline, the person presses a button or follows a link such as Deny or Cancel. The
person's browser runs no scripts. If there is nothing to type, give --scripted. Instead, --sign-in
opens $BROWSER for you, once for each sign-in. Without $BROWSER it prints the address. Checks that
look at pages need the scripted person.

If people sign in at a third party, --rig plays it: an OpenID provider that signs one person in.
Checks then send wrong ID tokens and failures. With --rig-start, checks also change its metadata:
each starts a server of its own with the command.

Clients can have the URL of a metadata document as their ID. With --documents, the command serves
their documents, and writes a certificate authority to the file of --documents-ca. Start the server
after that, within a minute. It has to trust the authority and accept documents of that host, also
on loopback.`,
		Example: `  mcp-auth-conformance issuer http://localhost:9000 --field username=ada \
    --field password=@password.txt
  mcp-auth-conformance issuer http://localhost:9000 --scripted --rig localhost:9400 \
    --rig-start 'as --issuer {url} --upstream {issuer} --port {port}'
  mcp-auth-conformance issuer http://localhost:9000 --scripted \
    --documents 127.0.0.1:8443 --documents-ca ca.pem
  mcp-auth-conformance issuer https://as.example.com --only authorization-server/metadata`,
		Args: arguments(1, 1, "the issuer identifier of one authorization server"),
		RunE: func(command *cobra.Command, given []string) error {
			return runIssuer(command, given[0], options)
		},
	}
	flags := command.Flags()
	flags.SortFlags = false
	flags.StringArrayVar(
		&options.fields,
		"field",
		nil,
		"type a value into the field of a form, as `NAME=VALUE`, or NAME=@FILE for a secret; can be repeated",
	)
	flags.BoolVar(
		&options.scripted,
		"scripted",
		false,
		"let a scripted person sign in who types nothing; --field does so too",
	)
	flags.BoolVar(&options.signIn, "sign-in", false, "sign in yourself, in $BROWSER")
	options.client.addFlags(flags)
	options.keyClient.addFlags(flags)
	flags.StringVar(&options.resource, "resource", "", "ask for tokens for this `RESOURCE` (RFC 8707)")
	flags.StringVar(&options.otherResource, "other-resource", "", "another `RESOURCE` of the authorization server")
	flags.StringSliceVar(&options.scopes, "scope", nil, "ask for this `SCOPE`; can be repeated")
	options.rig.addFlags(flags)
	options.documents.addFlags(flags)
	options.run.addFlags(flags, 8)
	flags.BoolVar(
		&options.run.selected.Disruptive,
		"disruptive",
		false,
		"also run checks that disturb other users, for example floods; only for your own servers",
	)
	flags.StringSliceVar(
		&options.revisions,
		"revision",
		nil,
		"the server is meant for this `REVISION` of MCP; can be repeated; all by default",
	)
	flags.StringVar(&options.caFile, "ca-file", "", "also trust the certificate authorities in this PEM `FILE`")
	flags.DurationVar(
		&options.timeout,
		"timeout",
		10*time.Second,
		"time limit for the server's first answer; above 10s, other limits grow with it",
	)
	flags.DurationVar(
		&options.signInTimeout,
		"sign-in-timeout",
		5*time.Minute,
		"time limit for the person at the browser, for each sign-in",
	)
	return command
}

func runIssuer(command *cobra.Command, address string, options issuerOptions) error {
	if err := options.run.read(issuerRules()); err != nil {
		return err
	}
	if options.rig.address == "" && options.rig.start != "" {
		return errors.New("--rig-start needs the address of the third party; give --rig too")
	}
	target, err := options.target(address)
	if err != nil {
		return err
	}
	if options.documents.caFile != "" && options.documents.address == "" {
		return errors.New("--documents-ca needs the address of the documents; give --documents too")
	}
	if options.documents.address != "" {
		stop, err := options.documents.open(target, command.ErrOrStderr())
		if err != nil {
			return err
		}
		defer stop()
	}
	if options.rig.address != "" {
		stop, err := options.rig.open(command.Context(), target, command.ErrOrStderr())
		if err != nil {
			return err
		}
		defer stop()
	}
	if options.documents.address != "" {
		if err := options.documents.await(command.Context(), target); err != nil {
			return err
		}
	}
	refused := &refusals{}
	if options.signIn {
		target.Open = refused.watch(options.run.openPage)
	}
	options.run.begin(command, []string{address})
	found, err := issuers.Run(command.Context(), *target, options.run.selected)
	return refused.outcome(options.run.finish(found, err, nil))
}

// refusals keeps the first refusal of a sign-in.
type refusals struct {
	mu    sync.Mutex
	first error
}

// watch returns open, and keeps its refusal.
func (r *refusals) watch(open func(context.Context, string) error) func(context.Context, string) error {
	return func(ctx context.Context, page string) error {
		err := open(ctx, page)
		var refused *signin.Refused
		r.mu.Lock()
		defer r.mu.Unlock()
		if errors.As(err, &refused) && r.first == nil {
			r.first = refused
		}
		return err
	}
}

// outcome returns the outcome of a run. A failed check counts more than a refused sign-in, and that
// more than a check without a verdict.
func (r *refusals) outcome(err error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.first == nil || errors.Is(err, errFailed) {
		return err
	}
	return r.first
}

// target reads the options.
func (o *issuerOptions) target(address string) (*issuers.Target, error) {
	parsed, err := url.Parse(address)
	if err != nil || !isEndpoint(parsed) || strings.ContainsAny(address, "?#") {
		return nil, fmt.Errorf("want an issuer identifier, for example https://as.example.com, got %q", address)
	}
	client, err := httpClient(o.caFile)
	if err != nil {
		return nil, err
	}
	target := &issuers.Target{
		URL:           address,
		HTTPClient:    client,
		Resource:      o.resource,
		OtherResource: o.otherResource,
		Scopes:        o.scopes,
		FirstAnswer:   o.timeout,
		SignInTimeout: o.signInTimeout,
	}
	for _, revision := range o.revisions {
		if !slices.Contains(check.Revisions(), check.Revision(revision)) {
			return nil, fmt.Errorf("--revision: want one of %s, got %q", revisionsOf(check.Revisions()), revision)
		}
		target.Revisions = append(target.Revisions, check.Revision(revision))
	}
	if err := o.person(target); err != nil {
		return nil, err
	}
	target.KeyClient, err = o.keyClient.client(o.client.redirect)
	if err != nil {
		return nil, err
	}
	if o.client.id == "" {
		return target, nil
	}
	given := issuers.Client{ID: o.client.id, RedirectURI: o.client.redirect}
	given.Secret, err = o.client.secret()
	if err != nil {
		return nil, err
	}
	target.Clients = []issuers.Client{given}
	return target, nil
}

// person sets how people sign in.
func (o *issuerOptions) person(target *issuers.Target) error {
	isScripted := o.scripted || len(o.fields) > 0
	if isScripted && o.signIn {
		return errors.New("--scripted and --field sign in without you, and --sign-in with you; use only one of them")
	}
	fields := map[string]string{}
	for _, field := range o.fields {
		name, value, found := strings.Cut(field, "=")
		if !found || name == "" {
			return errors.New("--field: want NAME=VALUE, for example username=ada")
		}
		if file, isFile := strings.CutPrefix(value, "@"); isFile {
			text, err := readSecretFile(file)
			if err != nil {
				return fmt.Errorf("--field %s: %w", name, err)
			}
			value = string(text)
		}
		fields[name] = value
	}
	if isScripted {
		target.Person = issuers.ScriptedPerson(fields)
	}
	return nil
}
