package main

import (
	"bytes"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestAdminBeyondLoopbackWarns(t *testing.T) {
	t.Parallel()
	for address, warns := range map[string]bool{
		"localhost:8001":  false,
		"127.0.0.1:8001":  false,
		"[::1]:8001":      false,
		":8001":           true,
		"0.0.0.0:8001":    true,
		"[::]:8001":       true,
		"10.0.0.5:8001":   true,
		"admin.test:8001": true,
	} {
		var log bytes.Buffer
		warnOfAdmin(address, slog.New(slog.NewTextHandler(&log, nil)))
		if !warns {
			assert.Empty(t, log.String(), address)
			continue
		}
		assert.Regexp(t, "WARN.*bearer secret: listen on localhost.*setting=MCP_ADMIN_ADDR", log.String(), address)
	}
}
