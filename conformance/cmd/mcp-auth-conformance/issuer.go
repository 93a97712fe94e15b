package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mcpentra/conformance/check"
	"mcpentra/conformance/issuers"
)

type issuerOptions struct {
	signIn        bool
	fields        []string
	clientID      string
	secretFile    string
	redirect      string
	resource      string
	otherResource string
	scopes        []string
	run           runOptions
	revisions     []string
	caFile        string
	timeout       time.Duration
}

func newIssuerCommand() *cobra.Command {
	options := issuerOptions{}
	command := &cobra.Command{
		Use:   "issuer URL",
		Short: "Run the checks against an authorization server",
		Long: `Issuer runs the checks against the authorization server whose issuer identifier is URL.

The checks register clients. If clients cannot register themselves, give one with --client-id.

Most checks need a sign-in. Give the values of the sign-in form with --field, by the names of its
inputs in the HTML. A scripted person types them, and presses the first button that does not
decline. To decline, the person presses a button or follows a link such as Deny or Cancel. The
person's browser runs no scripts. Instead, --sign-in opens $BROWSER for you, once for each sign-in.
Without $BROWSER it prints the address. Checks that look at pages need the scripted person.`,
		Example: `  mcp-auth-conformance issuer http://localhost:9000 --field username=ada \
    --field password=@password.txt
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
	flags.BoolVar(&options.signIn, "sign-in", false, "sign in yourself, in $BROWSER")
	flags.StringVar(&options.clientID, "client-id", "", "use the registered client with this `ID`")
	flags.StringVar(&options.secretFile, "client-secret-file", "", "read its secret from `FILE`")
	flags.StringVar(
		&options.redirect,
		"redirect-uri",
		"http://127.0.0.1:33418/callback",
		"redirect `URI` of that client",
	)
	flags.StringVar(&options.resource, "resource", "", "ask for tokens for this `RESOURCE` (RFC 8707)")
	flags.StringVar(&options.otherResource, "other-resource", "", "another `RESOURCE` of the authorization server")
	flags.StringSliceVar(&options.scopes, "scope", nil, "ask for this `SCOPE`; can be repeated")
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
	flags.DurationVar(&options.timeout, "timeout", 5*time.Minute, "time limit for the person at the browser")
	return command
}

func runIssuer(command *cobra.Command, address string, options issuerOptions) error {
	out := command.OutOrStdout()
	if err := options.run.read(issuerRules()); err != nil {
		return err
	}
	target, err := options.target(address)
	if err != nil {
		return err
	}
	options.run.selected.Progress = options.run.show(out, command, []string{address})
	found, err := issuers.Run(command.Context(), *target, options.run.selected)
	if err != nil {
		return err
	}
	return options.run.finish(out, found)
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
	if o.clientID == "" {
		return target, nil
	}
	given := issuers.Client{ID: o.clientID, RedirectURI: o.redirect}
	if o.secretFile != "" {
		given.Secret, err = readToken(o.secretFile)
		if err != nil {
			return nil, fmt.Errorf("--client-secret-file: %w", err)
		}
	}
	target.Clients = []issuers.Client{given}
	return target, nil
}

// person sets how people sign in.
func (o *issuerOptions) person(target *issuers.Target) error {
	if len(o.fields) > 0 && o.signIn {
		return errors.New("--field and --sign-in both sign in; use only one of them")
	}
	fields := map[string]string{}
	for _, field := range o.fields {
		name, value, found := strings.Cut(field, "=")
		if !found || name == "" {
			return errors.New("--field: want NAME=VALUE, for example username=ada")
		}
		if file, isFile := strings.CutPrefix(value, "@"); isFile {
			text, err := readToken(file)
			if err != nil {
				return fmt.Errorf("--field %s: %w", name, err)
			}
			value = text
		}
		fields[name] = value
	}
	if len(fields) > 0 {
		target.Person = issuers.ScriptedPerson(fields)
	}
	if o.signIn {
		target.Open = func(ctx context.Context, page string) error {
			ctx, cancel := context.WithTimeout(ctx, o.timeout)
			defer cancel()
			return openPage(ctx, page)
		}
	}
	return nil
}
