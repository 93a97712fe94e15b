package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// maxSecret bounds a file, or a command's output, with a secret. It is in bytes.
const maxSecret = 1 << 20

// runTokenCommand runs a command that prints a token.
func runTokenCommand(ctx context.Context, words []string) (string, error) {
	run := exec.CommandContext(ctx, words[0], words[1:]...)
	run.Stderr = os.Stderr // the command is the person's own
	out, err := run.Output()
	if err != nil {
		return "", fmt.Errorf("--token-command: %s: %w", words[0], err)
	}
	if len(out) > maxSecret {
		return "", fmt.Errorf("--token-command: %s: more than %d bytes", words[0], maxSecret)
	}
	return string(bytes.TrimSpace(out)), nil
}

// readFile reads a file that a flag names. The name - means standard input.
func readFile(flag, name string) ([]byte, error) {
	file := os.Stdin
	if name != "-" {
		opened, err := os.Open(name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", flag, err)
		}
		defer opened.Close()
		file = opened
	}
	text, err := io.ReadAll(io.LimitReader(file, maxSecret+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", flag, err)
	}
	if len(text) > maxSecret {
		return nil, fmt.Errorf("%s: more than %d bytes", flag, maxSecret)
	}
	return text, nil
}

// readSecret reads a file that holds one secret, with or without a line feed after it.
func readSecret(flag, name string) (string, error) {
	text, err := readFile(flag, name)
	if err != nil {
		return "", err
	}
	secret := strings.TrimRight(string(text), "\r\n")
	if secret == "" {
		return "", fmt.Errorf("%s: %s is empty", flag, name)
	}
	return secret, nil
}
