package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"time"

	"github.com/spf13/cobra"

	"mcpentra/fakeentra/useragent"
)

func newVisitCommand() *cobra.Command {
	var browser useragent.Browser
	var quiet bool
	var timeout time.Duration
	command := &cobra.Command{
		Use:   "visit URL",
		Short: "A scripted browser and person, who signs in and approves",
		Long: `Visit opens a loopback URL as a browser would, with a person in front of it who picks an
account, types a password where one is asked for, and approves what is asked. It can stand as
$BROWSER for any program that opens one.

Exit status: 0 the last page was fine; 2 usage, or a page could not be opened; 3 the last page says
no, which includes the error pages of Entra ID, or --deny found nothing to decline.`,
		Example: `  fakeentra visit http://localhost:8000/authorize?…
  BROWSER='fakeentra visit --deny' mcp-entra-client http://localhost:8000/mcp list
  BROWSER='fakeentra visit --user AlexW@contoso.onmicrosoft.com --password "correct horse"' …`,
		Args: arguments(1, 1, "one URL"),
		RunE: func(command *cobra.Command, given []string) error {
			target, err := url.Parse(given[0])
			if err != nil || target.Scheme != "http" && target.Scheme != "https" {
				return fmt.Errorf("visit: want an http or https URL")
			}
			if ip := net.ParseIP(target.Hostname()); target.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
				return fmt.Errorf("visit: %s is not on loopback, and a scripted person signs in nowhere else", target.Host)
			}
			if !quiet {
				browser.Visited = func(status int, address string) { fmt.Fprintf(os.Stderr, "visit: %d %s\n", status, address) }
			}
			ctx, cancel := context.WithTimeout(command.Context(), timeout)
			defer cancel()
			page, err := browser.Visit(ctx, given[0])
			var refused *useragent.PageError
			switch {
			case errors.As(err, &refused):
				return &exitError{exitRefused, fmt.Errorf("visit: %s says: %s", refused.Page.URL.Host, refused.Message)}
			case errors.Is(err, useragent.ErrNothingToDecline):
				return &exitError{exitRefused, fmt.Errorf("visit: --deny: %w", err)}
			case err != nil:
				return fmt.Errorf("visit: %w", err)
			}
			if page.Status >= 400 {
				return &exitError{exitRefused, fmt.Errorf("visit: ended on status %d at %s: %s", page.Status, page.URL.Host, page.Title)}
			}
			return nil
		},
	}
	flags := command.Flags()
	flags.SortFlags = false
	flags.StringVar(&browser.User, "user", "", "sign in as this `NAME` instead of the first account offered")
	flags.StringVar(&browser.Password, "password", "", "type this `WORD` where the fake asks for a password (fakes only: others see a program's arguments)")
	flags.BoolVar(&browser.Deny, "deny", false,
		"decline the first thing that can be declined; on a sign-in page, cancel")
	flags.DurationVar(&timeout, "timeout", time.Minute, "give up after this long")
	flags.BoolVar(&quiet, "quiet", false, "do not print the pages")
	return command
}
