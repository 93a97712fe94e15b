package console

import (
	"context"
	"encoding/json"

	"github.com/mark3labs/mcp-go/mcp"
)

// ElicitDefaults answers a form of the server with the defaults in its schema, and with nothing
// else. A request to open a page is declined.
const ElicitDefaults = "default"

// defaultsHandler fills in forms. The person chose ElicitDefaults, and so agreed to the server's
// defaults.
type defaultsHandler struct{}

func (defaultsHandler) Elicit(_ context.Context, request mcp.ElicitationRequest) (*mcp.ElicitationResult, error) {
	declined := &mcp.ElicitationResult{
		ElicitationResponse: mcp.ElicitationResponse{Action: mcp.ElicitationResponseActionDecline},
	}
	if request.Params.Mode != "" && request.Params.Mode != mcp.ElicitationModeForm {
		return declined, nil
	}
	text, err := json.Marshal(request.Params.RequestedSchema)
	if err != nil {
		return declined, nil //nolint:nilerr // an unreadable form is not filled in
	}
	var schema struct {
		Properties map[string]struct {
			Default any `json:"default"`
		} `json:"properties"`
		Required []string `json:"required"`
	}
	if json.Unmarshal(text, &schema) != nil {
		return declined, nil
	}
	content := map[string]any{}
	for name, property := range schema.Properties {
		if property.Default != nil {
			content[name] = property.Default
		}
	}
	for _, name := range schema.Required {
		if _, filled := content[name]; !filled {
			return declined, nil
		}
	}
	return &mcp.ElicitationResult{ElicitationResponse: mcp.ElicitationResponse{
		Action:  mcp.ElicitationResponseActionAccept,
		Content: content,
	}}, nil
}
