package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"
)

// Tool is a tool of the server.
type Tool struct {
	// Name and Description are harmless for a terminal (see Printable).
	Name        string
	Description string

	sent   string // the name as the server sent it
	schema schema
}

// Parameters returns the tool's parameters in the order of its schema.
func (t *Tool) Parameters() []Parameter { return slices.Clone(t.schema.parameters) }

// Bounds of a list of tools.
const (
	maxTools = 10_000
	maxPages = 100
	maxList  = 64 << 20 // bytes of JSON
)

// Tools lists the server's tools. In MCP 2026-07-28 it leaves out a tool with invalid x-mcp-header
// annotations, because the tool must not be called.
func (s *Session) Tools(ctx context.Context) ([]Tool, error) {
	listed, err := inSession(ctx, s, func() ([]mcp.Tool, error) { return s.list(ctx) })
	if err != nil {
		return nil, plain(err)
	}
	tools := make([]Tool, 0, len(listed))
	for _, tool := range listed {
		tools = append(tools, Tool{
			Name:        Printable(tool.Name),
			Description: Printable(tool.Description),
			sent:        tool.Name,
			schema:      readSchema(tool.InputSchema),
		})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known = tools
	return tools, nil
}

// listed returns the tools of the last list.
func (s *Session) listed() []Tool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.known
}

// list requests the pages of the list one by one.
func (s *Session) list(ctx context.Context) ([]mcp.Tool, error) {
	var all []mcp.Tool
	var request mcp.ListToolsRequest
	size := 0
	for range maxPages {
		page, err := s.mcp.ListToolsByPage(ctx, request)
		if err != nil {
			return nil, err
		}
		text, err := json.Marshal(page.Tools)
		if err != nil {
			return nil, err
		}
		size += len(text)
		all = append(all, page.Tools...)
		if len(all) > maxTools || size > maxList {
			return nil, fmt.Errorf("the server lists more than %d tools or %d MiB: too many", maxTools, maxList>>20)
		}
		if page.NextCursor == "" {
			return all, nil
		}
		request.Params.Cursor = page.NextCursor
	}
	return nil, fmt.Errorf("the server's list of tools has more than %d pages, which are not read", maxPages)
}

// Find returns the tool with a name. If the last list does not hold it, Find lists the tools again.
// The error is a *NoToolError if the server does not offer the tool. If the server cannot list
// tools, Find assumes that the tool exists.
func (s *Session) Find(ctx context.Context, name string) (Tool, error) {
	if tool, found := findTool(s.listed(), name); found {
		return tool, nil
	}
	fresh, err := s.Tools(ctx)
	switch {
	case errors.Is(err, mcp.ErrMethodNotFound):
		return Tool{Name: Printable(name), sent: name, schema: schema{open: true}}, nil
	case err != nil:
		return Tool{}, err
	}
	if tool, found := findTool(fresh, name); found {
		return tool, nil
	}
	return Tool{}, &NoToolError{Name: name, Nearest: nearestTool(name, fresh)}
}

// findTool finds a tool by the name that the server sent, and then by the name that a person reads.
func findTool(tools []Tool, name string) (Tool, bool) {
	for _, tool := range tools {
		if tool.sent == name {
			return tool, true
		}
	}
	for _, tool := range tools {
		if tool.Name == name {
			return tool, true
		}
	}
	return Tool{}, false
}

// A NoToolError reports that the server does not offer a tool, or offers it in a form that must not
// be called.
type NoToolError struct {
	Name    string
	Nearest string // the name that was probably meant; empty if no name is near
}

func (e *NoToolError) Error() string {
	if e.Nearest != "" {
		return fmt.Sprintf("the server offers no tool %q; did you mean %s? list shows them all", e.Name, e.Nearest)
	}
	return fmt.Sprintf("the server offers no tool %q that can be called; list shows its tools", e.Name)
}

// nearestTool returns the tool that was probably meant: one whose name is a few letters away, or
// the only one whose name begins with the word or contains it. It returns "" for other words.
func nearestTool(name string, tools []Tool) string {
	var names, beginning, inside []string
	for _, tool := range tools {
		names = append(names, tool.Name)
		if strings.HasPrefix(tool.Name, name) {
			beginning = append(beginning, tool.Name)
		}
		if strings.Contains(tool.Name, name) {
			inside = append(inside, tool.Name)
		}
	}
	if near := Nearest(name, names); near != "" {
		return near
	}
	switch {
	case name == "":
		return ""
	case len(beginning) == 1:
		return beginning[0]
	case len(inside) == 1:
		return inside[0]
	}
	return ""
}
