//go:build unix

package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestCtrlCReturnsToPrompt(t *testing.T) {
	t.Parallel()
	address, started := forWaiting(t)
	terminal := inTerminal(t, address)
	terminal.await("mcp> ")
	for i := range 2 {
		prompts := strings.Count(terminal.text(), "mcp> ")
		terminal.write("call wait\r")
		<-started
		terminal.write("\x03")
		terminal.awaitCount("interrupted", i+1)
		terminal.awaitCount("mcp> ", prompts+1)
	}
	terminal.write("call ping\r")
	terminal.await("pong")
	terminal.write("quit\r")
	assert.Zero(t, terminal.status(), terminal.text())
}

func TestCtrlCEndsProgramWithVerb(t *testing.T) {
	t.Parallel()
	address, started := forWaiting(t)
	terminal := inTerminal(t, address, "call", "wait")
	<-started
	terminal.write("\x03")
	assert.Equal(t, exitUsage, terminal.status(), terminal.text())
	assert.Contains(t, terminal.text(), "mcp-entra-client: interrupted")
}
