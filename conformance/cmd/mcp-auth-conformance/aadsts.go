package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"mcpentra/conformance/doctor/aadsts"
)

// explanationColumns is the width of an explanation.
const explanationColumns = 100

func newAADSTSCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "aadsts CODE|TEXT",
		Short: "Explain an error of Entra ID, and say what to change",
		Long: `Aadsts explains errors of Entra ID (AADSTS codes), offline: what the error means, why MCP clients
get it, and what to change where. It takes a code, or a text that you paste: the JSON answer of a
token endpoint, the address of a callback, the source of an error page, or lines of a log. The
fixes then hold the values in the text. With - it reads the text from the standard input, at most
1 MiB. It repeats no secrets.

Exit status:
  0  every code in the text is explained
  1  a code is unknown, or the text names none
  2  wrong usage`,
		Example: `  mcp-auth-conformance aadsts 50011
  mcp-auth-conformance aadsts "AADSTS9010010: The resource parameter provided in the request ..."
  mcp-auth-conformance aadsts - < server.log`,
		Args: func(command *cobra.Command, given []string) error {
			if len(given) == 0 {
				return errors.New("aadsts wants a code, a text, or - for the standard input, got nothing")
			}
			return nil
		},
		RunE: func(command *cobra.Command, given []string) error {
			text := strings.Join(given, " ")
			if text == "-" {
				read, err := io.ReadAll(io.LimitReader(command.InOrStdin(), aadsts.MostBytes+1))
				if err != nil {
					return fmt.Errorf("reading the standard input: %w", err)
				}
				text = string(read)
			}
			if strings.TrimSpace(text) == "" {
				return errors.New("aadsts wants a code or a text, got an empty one")
			}
			return explainErrors(command.OutOrStdout(), text)
		},
	}
}

// explainErrors prints an explanation of each error in a text.
func explainErrors(out io.Writer, text string) error {
	if len(text) > aadsts.MostBytes {
		fmt.Fprintf(out, "The text has more than %d bytes. The rest was not read.\n\n", aadsts.MostBytes)
	}
	findings := aadsts.Find(text)
	if len(findings) == 0 {
		fmt.Fprint(out, "The text names no error of Entra ID. Entra's errors begin with AADSTS and a number.\n"+
			"Paste the whole answer, the whole address, or the source of the page.\n")
		return errFailed
	}
	allKnown := true
	for i, finding := range findings {
		if i > 0 {
			fmt.Fprintln(out)
		}
		if finding.Known {
			printExplanation(out, finding)
		} else {
			allKnown = false
			printUnknown(out, finding)
		}
		printRequest(out, finding)
	}
	if !allKnown {
		return errFailed
	}
	return nil
}

func printExplanation(out io.Writer, finding aadsts.Finding) {
	explanation := finding.Explanation
	title := "AADSTS" + strconv.Itoa(finding.Code)
	if finding.Code == 0 {
		title = "Claims challenge"
	}
	if finding.Sign == aadsts.Sentence && finding.Code != 0 {
		title += " (the text has the sentence without the number)"
	}
	fmt.Fprintf(out, "%s\n\n", title)
	printItem(out, "Entra", explanation.Text)
	printItem(out, "means", explanation.Meaning)
	printItem(out, "why", explanation.Why)
	printItem(out, "shows", string(explanation.Shows))
	for _, fix := range explanation.Fixes {
		printItem(out, "fix", string(fix.Place)+", "+fix.Where)
		printItem(out, "", fix.Text)
	}
	for _, link := range explanation.Links {
		printItem(out, "see", link)
	}
}

// byOAuthError is what an OAuth error code says about an unknown number.
var byOAuthError = map[string]string{
	"access_denied":           "the person or a policy declined; read the page, or let an administrator grant consent",
	"consent_required":        "a consent is missing; let the person or an administrator consent",
	"interaction_required":    "a page is needed; begin a visible sign-in",
	"invalid_client":          "the app's credential or registration is wrong; compare both with the portal",
	"invalid_grant":           "the code, token or account is no longer good; sign in again",
	"invalid_request":         "a parameter of the request is missing or wrong; compare it with the message",
	"invalid_resource":        "the tenant does not know the API; compare its Application ID URI with the request",
	"invalid_scope":           "a scope is wrong; write scopes in full, for one API",
	"invalid_target":          "the parameter resource does not fit the scopes; see aadsts 9010010",
	"login_required":          "no person is signed in; begin a visible sign-in",
	"server_error":            "Entra failed; try again later",
	"temporarily_unavailable": "Entra is busy; try again later",
	"unauthorized_client":     "the app may not do this; check the client ID, the tenant and the registration",
}

func printUnknown(out io.Writer, finding aadsts.Finding) {
	fmt.Fprintf(out, "AADSTS%d\n\n", finding.Code)
	printItem(out, "means", "This code is not known here.")
	printItem(out, finding.Error, byOAuthError[finding.Error])
	printItem(out, "look", fmt.Sprintf("https://login.microsoftonline.com/error?code=%d shows Microsoft's text.",
		finding.Code))
	printItem(out, "", "The sign-in log of the tenant has the reason: Entra admin center > Monitoring & health > "+
		"Sign-in logs. Filter by the correlation ID.")
	for _, near := range aadsts.Neighbours(finding.Code) {
		printItem(out, "near", fmt.Sprintf("%d: %s", near.Code, near.Meaning))
	}
}

// printRequest prints what an administrator needs to find the request.
func printRequest(out io.Writer, finding aadsts.Finding) {
	if finding.Suberror != "" {
		text := finding.Suberror
		if finding.SuberrorMeaning != "" {
			text += ": " + finding.SuberrorMeaning
		}
		printItem(out, "suberror", text)
	}
	if challenge := finding.Challenge; challenge != nil {
		text := "The answer has a claims challenge. Pass it on as the parameter claims of a new sign-in."
		if len(challenge.Policies) > 0 {
			text += " Policies: " + strings.Join(challenge.Policies, ", ") + "."
		}
		if len(challenge.Contexts) > 0 {
			text += " Authentication contexts: " + strings.Join(challenge.Contexts, ", ") + "."
		}
		if challenge.Revoked {
			text += " Access was revoked, and older tokens do not count."
		}
		printItem(out, "claims", text)
	}
	var ids []string
	for _, id := range []struct{ name, value string }{
		{"trace ID ", finding.TraceID},
		{"correlation ID ", finding.CorrelationID},
		{"at ", finding.Timestamp},
	} {
		if id.value != "" {
			ids = append(ids, id.name+id.value)
		}
	}
	if len(ids) > 0 {
		printItem(out, "log", "The tenant's sign-in log lists the request: "+strings.Join(ids, ", ")+".")
	}
}

// printItem prints a name and a text, broken at blanks.
func printItem(out io.Writer, name, text string) {
	if text == "" {
		return
	}
	const indent = 11
	line := fmt.Sprintf("  %-*s", indent-2, name)
	isEmpty := true
	if len(line) > indent {
		fmt.Fprintln(out, line)
		line = strings.Repeat(" ", indent)
	}
	for _, word := range strings.Fields(text) {
		if !isEmpty && len([]rune(line))+1+len([]rune(word)) > explanationColumns {
			fmt.Fprintln(out, line)
			line = strings.Repeat(" ", indent)
			isEmpty = true
		}
		if !isEmpty {
			line += " "
		}
		line += word
		isEmpty = false
	}
	fmt.Fprintln(out, line)
}
