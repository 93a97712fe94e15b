package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"mcpentra/fakeentra/internal/verify"
	"mcpentra/fakeentra/internal/verify/compare"
	"mcpentra/fakeentra/internal/verify/facts"
	"mcpentra/fakeentra/internal/verify/report"
)

// verifyOptions are the flags of fakeentra verify.
type verifyOptions struct {
	envFile, tenant, proxy            string
	report, recording, writeRecording string
	tier                              int
	pause                             time.Duration
	yes, setup, quiet, tierGiven      bool
}

func newVerifyCommand() *cobra.Command {
	var options verifyOptions
	command := &cobra.Command{
		Use:   "verify",
		Short: "Compare the fake with a tenant of Entra ID",
		Long: `Verify sends the same requests to a fake and to a tenant of Entra ID, and compares the answers:
status, header, members and their order, types, error texts, claims and lifetimes. It prints each
fact with its confidence (H, M or L) and the verdict: same, drift with both sides, or not judged
with the reason.

The tenant comes from a settings file with the keys of mcp-entra-server: AUTH_TENANT_ID,
AUTH_CLIENT_ID, AUTH_CLIENT_SECRET, AUTH_AUTHORITY, AUTH_GRAPH_URL and AUTH_CA_FILE. The environment
wins over the file.

  tier 0  needs a tenant ID and no account: documents, keys, errors, CORS, error pages
  tier 1  needs an app registration with a secret; --setup prints the commands that make one
  tier 2  needs a person, who signs in once with a device code

Verify changes nothing in the tenant. Its requests appear in the sign-in log, and a person of tier 2
consents to the app. It names the tenant and asks before it begins, and it pauses between requests.
It replaces IDs, times, secrets and names in its output by the place where they first occur.

Exit status: 0 all judged facts are the same; 1 drift; 2 usage error, wrong settings, an
interruption, or no fact could be judged.`,
		Example: `  fakeentra verify --tenant contoso.onmicrosoft.com --tier 0
  fakeentra verify --setup
  fakeentra verify --env verify.env --tier 2 --report report.md
  fakeentra verify --recording traffic.jsonl`,
		Args: arguments(0, 0, "no arguments"),
		RunE: func(command *cobra.Command, _ []string) error {
			options.tierGiven = command.Flags().Changed("tier")
			if options.setup {
				_, err := io.WriteString(command.OutOrStdout(), setupCommands)
				return err
			}
			err := options.run(command.Context(), command.OutOrStdout())
			var exit *exitError
			if err == nil || errors.As(err, &exit) {
				return err
			}
			return fmt.Errorf("verify: %w", err)
		},
	}
	flags := command.Flags()
	flags.SortFlags = false
	flags.StringVar(&options.envFile, "env", ".env", "read settings from `FILE`")
	flags.StringVar(&options.tenant, "tenant", "", "use this tenant `ID` or domain in place of AUTH_TENANT_ID")
	flags.IntVar(&options.tier, "tier", 0,
		"send the requests up to this tier; the default is 1 with a secret, or else 0")
	flags.DurationVar(&options.pause, "pause", 2*time.Second, "wait this long between two requests to the tenant")
	flags.BoolVar(&options.yes, "yes", false, "do not ask before the first request; for CI")
	flags.BoolVar(&options.setup, "setup", false, "print the commands that create the app registration, and end")
	flags.StringVar(&options.report, "report", "", "write a report in Markdown to `FILE`, to attach to an issue")
	flags.StringVar(&options.recording, "recording", "",
		"compare the answers in this `FILE` of fakeentra record; send nothing")
	flags.StringVar(&options.writeRecording, "write-recording", "", "write the masked answers of the tenant to `FILE`")
	flags.StringVar(&options.proxy, "proxy", "",
		"send the requests through the proxy at this `URL`; the default is HTTPS_PROXY")
	flags.BoolVar(&options.quiet, "quiet", false, "do not print the requests while they are sent")
	return command
}

// run compares, prints the results and writes the files.
func (o verifyOptions) run(ctx context.Context, out io.Writer) error {
	requests, err := facts.Requests()
	if err != nil {
		return err
	}
	all, err := facts.All()
	if err != nil {
		return err
	}
	var results []compare.Result
	var head report.Head
	if o.recording != "" {
		results, head, err = o.compareRecording(ctx, requests, all)
	} else {
		results, head, err = o.compareTenant(ctx, requests, all)
	}
	if err != nil {
		return err
	}
	if err := report.Text(out, results); err != nil {
		return err
	}
	if o.report != "" {
		var text strings.Builder
		if err := report.Markdown(&text, head, results); err != nil {
			return err
		}
		if err := writeFile(o.report, text.String(), 0o644); err != nil {
			return fmt.Errorf("--report: %w", err)
		}
	}
	return verdict(ctx, results)
}

// verdict turns the results into the exit status.
func verdict(ctx context.Context, results []compare.Result) error {
	drifts := report.Count(results, compare.Drift)
	switch {
	case ctx.Err() != nil:
		return errors.New("interrupted; the facts above were compared until then")
	case drifts > 0:
		return &exitError{exitNo, fmt.Errorf("verify: %d facts differ", drifts)}
	case report.Count(results, compare.Same) == 0:
		return fmt.Errorf("no fact could be judged: %s", results[0].Reason)
	}
	return nil
}

// compareTenant sends the requests to the fake and to the tenant.
func (o verifyOptions) compareTenant(
	ctx context.Context,
	requests []facts.Request,
	all []facts.Fact,
) ([]compare.Result, report.Head, error) {
	settings, err := o.readSettings()
	if err != nil {
		return nil, report.Head{}, err
	}
	tier := o.tier
	if !o.tierGiven {
		tier = settings.Tier()
	}
	switch {
	case tier < 0 || tier > 2:
		return nil, report.Head{}, fmt.Errorf("--tier: want 0, 1 or 2, got %d", tier)
	case tier > 0 && settings.Tier() == 0:
		return nil, report.Head{}, fmt.Errorf("--tier %d needs AUTH_CLIENT_ID and AUTH_CLIENT_SECRET; "+
			"fakeentra verify --setup prints the commands that create them", tier)
	}
	fake, pace, err := verify.NewFake(settings.authority, settings.Settings)
	if err != nil {
		return nil, report.Head{}, err
	}
	if settings.graph == "" {
		settings.graph = fake.Values["graph"]
	}
	client, err := o.newClient(settings)
	if err != nil {
		return nil, report.Head{}, err
	}
	count := 0
	for _, request := range requests {
		if request.Tier <= tier {
			count++
		}
	}
	if err := o.confirm(ctx, settings, count, tier); err != nil {
		return nil, report.Head{}, err
	}
	tenant := verify.NewSide(client, settings.authority, settings.graph, settings.Settings)
	answers := verify.Ask(ctx, requests, tenant, tier, o.pace(count))
	ours := verify.Ask(context.WithoutCancel(ctx), requests, fake, tier, pace)
	if o.writeRecording != "" {
		if err := o.write(settings.authority, requests, answers); err != nil {
			return nil, report.Head{}, fmt.Errorf("--write-recording: %w", err)
		}
	}
	head := report.Head{Version: version(), Target: verify.Target(settings.authority), Tier: tier}
	return verify.Judge(all, ours, answers), head, nil
}

// pace is the speed of the requests to the tenant. It shows the person of tier 2 where to sign in.
func (o verifyOptions) pace(count int) verify.Pace {
	number := 0
	pace := verify.Pace{
		Pause: o.pause,
		Poll:  max(o.pause, 5*time.Second),
		SignIn: func(_ context.Context, page, code string) error {
			const text = "verify: open %s and enter the code %s; waiting for the sign-in\n"
			_, err := fmt.Fprintf(os.Stderr, text, page, code)
			return err
		},
	}
	if !o.quiet {
		pace.Sent = func(name string) {
			number++
			fmt.Fprintf(os.Stderr, "verify: request %d of %d: %s\n", number, count, name)
		}
	}
	return pace
}

// confirm names the tenant and asks. Without a terminal and --yes it refuses.
func (o verifyOptions) confirm(ctx context.Context, settings tenantSettings, count, tier int) error {
	fmt.Fprintf(os.Stderr, "verify: %d requests up to tier %d to %s, tenant %s, with a pause of %s between them.\n",
		count, tier, settings.authority, settings.Tenant, o.pause)
	fmt.Fprintln(os.Stderr, "verify: they change nothing, and appear in the sign-in log of the tenant.")
	switch {
	case o.yes:
		return nil
	case !term.IsTerminal(int(os.Stdin.Fd())):
		return errors.New("there is no terminal to ask at; add --yes to go on")
	}
	fmt.Fprint(os.Stderr, "Go on? [y/N] ")
	answered := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(io.LimitReader(os.Stdin, 100)).ReadString('\n') // an error means no
		answered <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case answer := <-answered:
		if answer != "y" && answer != "yes" {
			return errors.New("no request was sent, because the answer was not y")
		}
		return nil
	case <-ctx.Done():
		return errors.New("interrupted; no request was sent")
	}
}
