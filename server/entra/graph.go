package entra

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"
)

// Profile is the part of Graph's user resource that is used (Microsoft Graph v1.0, "Get a user").
type Profile struct {
	ID                string `json:"id"`
	DisplayName       string `json:"displayName"`
	UserPrincipalName string `json:"userPrincipalName"`
	// Mail is "" for a user without a mailbox.
	Mail string `json:"mail"`
}

// GraphError is a refusal by Microsoft Graph.
type GraphError struct {
	Status int
	// Code is Graph's, such as "InvalidAuthenticationToken" or "Authorization_RequestDenied".
	Code string
	// Message is Graph's sentence for people, sanitized like [Error.Description].
	Message string
	// RetryAfter is set when Graph throttles (429) or is in trouble (503) and says for how long.
	RetryAfter time.Duration
}

func (e *GraphError) Error() string {
	return fmt.Sprintf("microsoft graph answered %d %s: %s", e.Status, e.Code, e.Message)
}

// Me asks Graph who the access token speaks for. It needs the delegated permission User.Read. The
// error is a [*GraphError] when Graph answered, and an [*UnavailableError] when it did not.
func (c *Client) Me(ctx context.Context, accessToken string) (*Profile, error) {
	if accessToken == "" {
		return nil, errors.New("entra: there is no access token for graph")
	}
	// Which of the cloud's Graph hosts is meant stands in the discovery document; where it cannot
	// be had now, the request would not have a token either.
	found, _, err := c.discover(ctx)
	if err != nil {
		return nil, err
	}
	header := http.Header{"Accept": {"application/json"}, "Authorization": {"Bearer " + accessToken}}
	resp, body, err := c.get(ctx, "graph", c.graph(found)+"/v1.0/me", header)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, c.graphRefusal(resp, body)
	}
	profile := new(Profile)
	if err := json.Unmarshal(body, profile); err != nil || profile.ID == "" {
		return nil, &UnavailableError{Op: "graph", Status: resp.StatusCode, Err: errors.New("the answer is not a user")}
	}
	return profile, nil
}

func (c *Client) graphRefusal(resp *http.Response, body []byte) error {
	var answer struct {
		Error struct {
			Code    string `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
	}
	refused := &GraphError{Status: resp.StatusCode, RetryAfter: retryAfter(resp.Header, c.now())}
	if err := json.Unmarshal(body, &answer); err == nil {
		refused.Code = sanitize(answer.Error.Code)
		refused.Message = sanitize(answer.Error.Message)
	}
	if refused.Code == "" {
		refused.Code = "unreadable_error"
	}
	return refused
}
