// Package tools holds the MCP tools of the reference server.
package tools
