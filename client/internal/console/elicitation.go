package console

import (
	"context"
	"encoding/json"

	"github.com/mark3labs/mcp-go/mcp"
)

// ElicitDefaults answers a form of the server with the defaults that its schema has, and with
// nothing else; a page that the server wants to have opened is declined.
const ElicitDefaults = "default"

// withDefaults fills in forms. A person who chose it has agreed to what the server has put there.
type withDefaults struct{}

func (withDefaults) Elicit(_ context.Context, request mcp.ElicitationRequest) (*mcp.ElicitationResult, error) {
	declined := &mcp.ElicitationResult{
		ElicitationResponse: mcp.ElicitationResponse{Action: mcp.ElicitationResponseActionDecline},
	}
	if request.Params.Mode != "" && request.Params.Mode != mcp.ElicitationModeForm {
		return declined, nil
	}
	text, err := json.Marshal(request.Params.RequestedSchema)
	if err != nil {
		return declined, nil //nolint:nilerr // a form that cannot be read is not filled in
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
			return declined, nil // an answer without it would be wrong
		}
	}
	return &mcp.ElicitationResult{
		ElicitationResponse: mcp.ElicitationResponse{Action: mcp.ElicitationResponseActionAccept, Content: content},
	}, nil
}
