package tools

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"time"

	"github.com/mark3labs/mcp-go/mcp"

	"mcpentra/server/entra"
	"mcpentra/server/guard"
	"mcpentra/server/identity"
)

// userName is the structured answer of get_user_name.
type userName struct {
	Name              string `json:"name" jsonschema:"The display name in Microsoft 365"`
	UserPrincipalName string `json:"user_principal_name,omitempty" jsonschema:"The sign-in name"`
}

func userNameTool() mcp.Tool {
	return mcp.NewTool("get_user_name",
		mcp.WithDescription("Gets the display name of the signed-in user from Microsoft Graph."),
		mcp.WithTitleAnnotation("Get user name"), readOnly(), mcp.WithOpenWorldHintAnnotation(true),
		withOutputSchema[userName](),
	)
}

func (t *toolset) userName(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	id, known := guard.FromContext(ctx)
	if !known {
		return t.failed("get_user_name", errNoCaller), nil
	}
	graphToken, err := t.cfg.GraphToken(ctx, id)
	if err != nil {
		return t.failed("get_user_name", err), nil
	}
	me, err := t.cfg.Me(ctx, graphToken)
	if err != nil {
		t.passOn(ctx, id, err)
		return t.failed("get_user_name", err), nil
	}
	name := me.DisplayName
	if name == "" {
		// Some accounts have no display name. All have a sign-in name.
		name = me.UserPrincipalName
	}
	return mcp.NewToolResultStructured(
		userName{Name: name, UserPrincipalName: me.UserPrincipalName},
		"User name is "+name,
	), nil
}

// passOn reports the claims challenge of an error to the sign-in.
func (t *toolset) passOn(ctx context.Context, id *identity.Caller, cause error) {
	var graph *entra.GraphError
	if t.cfg.Challenged == nil || !errors.As(cause, &graph) || graph.Claims == "" {
		return
	}
	if err := t.cfg.Challenged(ctx, id, graph.Claims); err != nil {
		t.log.Error("a claims challenge could not be kept for the next sign-in", "error", err)
	}
}

// errNoCaller means that the tools run without a guard.
var errNoCaller = errors.New("the request has no verified caller")

// failed returns the tool error for the person at the client. It logs the cause for the operator;
// the cause may contain details that the caller must not see.
func (t *toolset) failed(tool string, cause error) *mcp.CallToolResult {
	t.log.Warn("a tool failed", "tool", tool, "error", cause)
	return mcp.NewToolResultError(explain(cause))
}

// explain tells the caller what to do about an error.
func explain(cause error) string {
	var refused *entra.Error
	var unavailable *entra.UnavailableError
	var graph *entra.GraphError
	var config *entra.ConfigError
	var app *entra.AppCallerError
	switch {
	case errors.As(cause, &app):
		return "This tool answers for a person, but an application called for itself: sign in as a person."
	case errors.As(cause, &config):
		return "This server is not set up to ask Microsoft Graph for you: tell its operator (" + config.Key + ")."
	case errors.As(cause, &refused) && refused.AADSTS == 65001 && refused.Op == "on-behalf-of":
		// No page of this server can ask the person for consent to Graph.
		return "Consent is missing: an administrator has to grant this server's application the permission to " +
			"read your profile (User.Read)."
	case errors.As(cause, &refused) && refused.Op == "on-behalf-of" && refused.Code == "interaction_required":
		return "Your organization requires more before this server may read your profile, such as another factor: " +
			"sign in again, and do what Microsoft asks."
	case errors.As(cause, &refused) && refused.AADSTS == 50105:
		return "You are not assigned to this server's application in Entra ID: ask an administrator of your " +
			"organization to assign you."
	case errors.As(cause, &refused) && refused.AADSTS == 65001:
		return "Consent is missing: sign in again and accept the permission to read your profile (User.Read), or " +
			"ask an administrator to grant it."
	case errors.As(cause, &refused) && refused.NeedsPerson() && refused.AADSTS != 0:
		return "Your organization requires more of you, such as another factor: sign in again, and do what " +
			"Microsoft asks."
	case errors.As(cause, &refused) && refused.GrantOver():
		return "The sign-in at Microsoft Entra ID is over: sign in again."
	case errors.As(cause, &refused):
		return fmt.Sprintf("Microsoft Entra ID refuses this server (%s): tell its operator.", errorNumber(refused))
	case errors.As(cause, &unavailable):
		return "Microsoft cannot be reached at the moment: try again " + after(unavailable.RetryAfter) + "."
	case errors.As(cause, &graph):
		return explainGraph(graph)
	case errors.Is(cause, errNoCaller):
		return "You are not signed in: sign in and try again."
	case errors.Is(cause, context.Canceled), errors.Is(cause, context.DeadlineExceeded):
		return "The request took too long or was cancelled: try again."
	}
	return "There is no usable permission for Microsoft Graph: sign in again. If that does not help, tell the " +
		"server's operator."
}

func explainGraph(graph *entra.GraphError) string {
	switch {
	case graph.Claims != "":
		return "Your organization requires more before Microsoft Graph answers for you: sign in again, and do what " +
			"Microsoft asks."
	case graph.Status == http.StatusUnauthorized:
		return "Microsoft Graph does not accept the sign-in any more: sign in again."
	case graph.Status == http.StatusForbidden:
		return "Microsoft Graph refuses to show your profile, because consent to User.Read is missing: sign in again " +
			"and accept it, or ask an administrator to grant it."
	case graph.Status == http.StatusTooManyRequests:
		return "Microsoft Graph is throttling requests: try again " + after(graph.RetryAfter) + "."
	case graph.Status >= 500:
		return "Microsoft Graph has a fault at the moment: try again " + after(graph.RetryAfter) + "."
	}
	return fmt.Sprintf("Microsoft Graph refused the request with status %d: tell the server's operator.", graph.Status)
}

func errorNumber(refused *entra.Error) string {
	if refused.AADSTS == 0 {
		return refused.Code
	}
	return fmt.Sprintf("AADSTS%d", refused.AADSTS)
}

func after(wait time.Duration) string {
	if wait <= 0 {
		return "in a moment"
	}
	return fmt.Sprintf("in %d seconds", int(math.Ceil(wait.Seconds())))
}
