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

// Tool is one that the server offers.
type Tool struct {
	// Name and Description are fit for a terminal (see Printable).
	Name, Description string

	sent   string // the name as the server sent it
	schema schema
}

// Parameters are what the tool takes, in the order of its schema.
func (t *Tool) Parameters() []Parameter { return slices.Clone(t.schema.parameters) }

// A list of tools has to end, and to fit into memory.
const (
	maxTools = 10_000
	maxPages = 100
	maxList  = 64 << 20 // bytes of JSON
)

// Tools lists the server's tools. In MCP 2026-07-28 a tool whose x-mcp-header annotations are not
// valid is left out, since it must not be called.
func (s *Session) Tools(ctx context.Context) ([]Tool, error) {
	listed, err := again(ctx, s, func() ([]mcp.Tool, error) { return s.list(ctx) })
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

// listed are the tools of the last list.
func (s *Session) listed() []Tool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.known
}

// list asks for one page after the other.
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

// Find returns the tool of a name. If the last list does not have it, or there was none, it lists
// the tools anew. Its error is a *NoToolError if the server does not offer the tool. A server that
// cannot list its tools may have it all the same.
func (s *Session) Find(ctx context.Context, name string) (Tool, error) {
	if tool, found := named(s.listed(), name); found {
		return tool, nil
	}
	fresh, err := s.Tools(ctx)
	switch {
	case errors.Is(err, mcp.ErrMethodNotFound):
		return Tool{Name: Printable(name), sent: name, schema: schema{open: true}}, nil
	case err != nil:
		return Tool{}, err
	}
	if tool, found := named(fresh, name); found {
		return tool, nil
	}
	return Tool{}, &NoToolError{Name: name, Nearest: nearestTool(name, fresh)}
}

func named(tools []Tool, name string) (Tool, bool) {
	for _, tool := range tools {
		if tool.sent == name {
			return tool, true
		}
	}
	for _, tool := range tools {
		if tool.Name == name {
			return tool, true // as a person reads it
		}
	}
	return Tool{}, false
}

// A NoToolError says that the server does not offer a tool, or that it offers it in a form in which
// it must not be called.
type NoToolError struct {
	Name    string
	Nearest string // what was probably meant; empty if no name is near
}

func (e *NoToolError) Error() string {
	if e.Nearest != "" {
		return fmt.Sprintf("the server offers no tool %q; did you mean %s? list shows them all", e.Name, e.Nearest)
	}
	return fmt.Sprintf("the server offers no tool %q that could be called; list shows those that it has", e.Name)
}

// nearestTool is the name that was probably meant: one with a typing error in it, or the only one
// that begins with the typed word or holds it.
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
