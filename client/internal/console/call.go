package console

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"
)

// ErrTool reports that a tool answered with an error. Text is the tool's.
type ErrTool struct{ Text string }

func (e *ErrTool) Error() string { return e.Text }

// Call calls a tool with its arguments, a JSON object or nothing, and returns its answer as text.
// If no list is known yet, it lists the tools first: the list names the headers that a call needs,
// and the tools that must not be called (MCP 2026-07-28 transports, Custom Headers from Tool
// Parameters). It returns an *ErrTool if the tool answers with an error.
func (s *Session) Call(ctx context.Context, tool, arguments string) (string, error) {
	object, err := ReadArguments(arguments)
	if err != nil {
		return "", err
	}
	found, err := s.Find(ctx, tool)
	if err != nil {
		return "", err
	}
	return s.call(ctx, found, object)
}

// CallWith is Call with arguments as a person types them: words of the form name=value, or a JSON
// object. The tool's schema decides the types of the values.
func (s *Session) CallWith(ctx context.Context, tool string, words []string) (string, error) {
	if err := CheckArguments(words); err != nil {
		return "", err
	}
	found, err := s.Find(ctx, tool)
	if err != nil {
		return "", err
	}
	object, err := found.arguments(words)
	if err != nil {
		return "", err
	}
	return s.call(ctx, found, object)
}

// call calls a tool that the server has listed.
func (s *Session) call(ctx context.Context, tool Tool, object map[string]any) (string, error) {
	request := mcp.CallToolRequest{Params: mcp.CallToolParams{Name: tool.sent}}
	if object != nil {
		request.Params.Arguments = object
	}
	result, err := inSession(ctx, s, func() (*mcp.CallToolResult, error) { return s.mcp.CallTool(ctx, request) })
	if err != nil {
		return "", plain(err)
	}
	text, err := textOf(result)
	if err != nil {
		return "", err
	}
	if result.IsError {
		return "", &ErrTool{text}
	}
	return text, nil
}

// textOf returns a result as text for a terminal. Structured content counts only without other
// content.
func textOf(result *mcp.CallToolResult) (string, error) {
	var parts []string
	for _, content := range result.Content {
		text, err := contentText(content)
		if err != nil {
			return "", err
		}
		parts = append(parts, text)
	}
	if len(parts) == 0 && result.StructuredContent != nil {
		return asJSON(result.StructuredContent)
	}
	return strings.Join(parts, "\n"), nil
}

func contentText(content mcp.Content) (string, error) {
	switch content := content.(type) {
	case mcp.TextContent:
		return Printable(content.Text), nil
	case mcp.ImageContent:
		return fmt.Sprintf("[image, %s, %d bytes in base64]", Printable(content.MIMEType), len(content.Data)), nil
	case mcp.AudioContent:
		return fmt.Sprintf("[audio, %s, %d bytes in base64]", Printable(content.MIMEType), len(content.Data)), nil
	}
	return asJSON(content)
}

func asJSON(value any) (string, error) {
	text, err := json.Marshal(value)
	return Printable(string(text)), err
}
