package entra

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
)

// Profile is a part of Graph's user resource (Microsoft Graph v1.0, "Get a user").
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
	// Code is Graph's error code, such as "InvalidAuthenticationToken" or
	// "Authorization_RequestDenied".
	Code string
	// Message is Graph's sentence for people, sanitized like Description of [Error].
	Message string
	// Claims is the claims challenge of a 401, a JSON object, or "". A new sign-in with it meets
	// the demand ("Claims challenges, claims requests and client capabilities").
	Claims string
	// RetryAfter is the pause that Graph asks for with 429 or 503; 0 if it named none.
	RetryAfter time.Duration
}

func (e *GraphError) Error() string {
	return fmt.Sprintf("microsoft graph answered %d %s: %s", e.Status, e.Code, e.Message)
}

// Me asks Graph for the person of an access token. It needs the delegated permission User.Read. The
// error is a [*GraphError] if Graph answered, and an [*UnavailableError] if it did not.
func (c *Client) Me(ctx context.Context, accessToken string) (*Profile, error) {
	if accessToken == "" {
		return nil, errors.New("entra: there is no access token for graph")
	}
	// The discovery document names the tenant's Graph host.
	found, _, err := c.discover(ctx)
	if err != nil {
		return nil, err
	}
	who := subjectOf(accessToken)
	if left := c.pauses.left("graph", who); left > 0 {
		return nil, errPaused("graph", left)
	}
	header := http.Header{"Accept": {"application/json"}, "Authorization": {"Bearer " + accessToken}}
	resp, body, err := c.get(ctx, "graph", c.graph(found)+"/v1.0/me", header)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		refused := c.graphRefusal(resp, body)
		if refused.RetryAfter > 0 {
			// Graph throttles each person by itself.
			c.pauses.subjects.Add(who, c.now().Add(refused.RetryAfter))
		}
		return nil, refused
	}
	profile := new(Profile)
	if err := json.Unmarshal(body, profile); err != nil || profile.ID == "" {
		return nil, &UnavailableError{Op: "graph", Status: resp.StatusCode, Err: errors.New("the answer is not a user")}
	}
	return profile, nil
}

func (c *Client) graphRefusal(resp *http.Response, body []byte) *GraphError {
	var answer struct {
		Error struct {
			Code    string `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
	}
	refused := &GraphError{
		Status:     resp.StatusCode,
		Claims:     graphChallenge(resp.Header),
		RetryAfter: retryAfter(resp.Header, c.now()),
	}
	if err := json.Unmarshal(body, &answer); err == nil {
		refused.Code = sanitize(answer.Error.Code)
		refused.Message = sanitize(answer.Error.Message)
	}
	if refused.Code == "" {
		refused.Code = "unreadable_error"
	}
	return refused
}

var claimsParameter = regexp.MustCompile(`\bclaims="([A-Za-z0-9+/_=-]+)"`)

// graphChallenge returns the claims challenge in WWW-Authenticate, or "". Its value is base64, in
// either alphabet.
func graphChallenge(header http.Header) string {
	for _, line := range header.Values("WWW-Authenticate") {
		found := claimsParameter.FindStringSubmatch(line)
		if found == nil || !strings.Contains(line, `error="insufficient_claims"`) {
			continue
		}
		text := strings.TrimRight(strings.NewReplacer("-", "+", "_", "/").Replace(found[1]), "=")
		if decoded, err := base64.RawStdEncoding.DecodeString(text); err == nil {
			return readChallenge(string(decoded))
		}
	}
	return ""
}
