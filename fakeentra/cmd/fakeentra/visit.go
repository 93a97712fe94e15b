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
		Short: "Sign in and approve as a scripted browser and person",
		Long: `Visit opens a loopback URL, and acts as both the browser and the person. It picks an account,
types a password if a page asks for one, and approves each request. Any program that opens $BROWSER can use it.

Exit status: 0 the last page is fine; 2 usage error, or a page cannot be opened; 3 the last page is
an error or a refusal, or --deny finds nothing to decline. The error pages of Entra ID count as
errors.`,
		Example: `  fakeentra visit http://localhost:8000/authorize?…
  BROWSER='fakeentra visit --deny' mcp-entra-client http://localhost:8000/mcp list
  BROWSER='fakeentra visit --user AlexW@contoso.onmicrosoft.com --password "correct horse"' …`,
		Args: arguments(1, 1, "one URL"),
		RunE: func(command *cobra.Command, given []string) error {
			target, err := url.Parse(given[0])
			if err != nil || target.Scheme != "http" && target.Scheme != "https" {
				return fmt.Errorf("visit: want an http or https URL")
			}
			if ip := net.ParseIP(target.Hostname()); target.Hostname() != "localhost" &&
				(ip == nil || !ip.IsLoopback()) {
				return fmt.Errorf("visit: %s is not on loopback; visit signs in at loopback hosts only", target.Host)
			}
			if !quiet {
				browser.Visited = func(status int, address string) {
					fmt.Fprintf(os.Stderr, "visit: %d %s\n", status, address)
				}
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
				err := fmt.Errorf("visit: %s has status %d: %s", page.URL.Host, page.Status, page.Title)
				return &exitError{exitRefused, err}
			}
			return nil
		},
	}
	flags := command.Flags()
	flags.SortFlags = false
	flags.StringVar(&browser.User, "user", "", "sign in as this `NAME` instead of the first account")
	flags.StringVar(&browser.Password, "password", "",
		"type this `WORD` if a page asks for a password; for fakes only, because other users can see arguments")
	flags.BoolVar(&browser.Deny, "deny", false,
		"decline the first request for approval; on a sign-in page, cancel")
	flags.DurationVar(&timeout, "timeout", time.Minute, "give up after this long")
	flags.BoolVar(&quiet, "quiet", false, "do not print the pages")
	return command
}
