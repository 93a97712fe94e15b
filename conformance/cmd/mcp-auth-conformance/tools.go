package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"mcpentra/conformance/servers"
)

// toolOptions are the flags about the tools and files of the server under test.
type toolOptions struct {
	canary        string
	canaryLog     string
	whoami        string
	whoamiField   string
	makeState     string
	useState      string
	rounds        string
	roundsAnswers string
	roundsOnce    bool
	roundsExpire  string
	task          string
	serverLog     string
	upstreamLog   string
}

func (o *toolOptions) addFlags(flags *pflag.FlagSet) {
	text := func(into *string, name, usage string) { flags.StringVar(into, name, "", usage) }
	text(
		&o.canary,
		"canary-tool",
		"the tool `NAME` repeats its only argument, the string marker, and writes it to the --canary-log",
	)
	text(&o.canaryLog, "canary-log", "count the runs of the --canary-tool by the lines of `FILE` that have the marker")
	text(&o.whoami, "whoami-tool", "the tool `NAME` has no arguments and returns who calls it")
	flags.StringVar(
		&o.whoamiField,
		"whoami-field",
		"content.0.text",
		"the caller is at this `PATH` in the result of the --whoami-tool",
	)
	text(&o.makeState, "state-tool", "the tool `NAME` has no arguments, makes state, and returns the handle as text")
	text(&o.useState, "handle-tool", "the tool `NAME` uses the state; its only argument is the string handle")
	text(
		&o.rounds,
		"rounds-tool",
		"the tool `NAME` asks for input, then repeats its only argument, the string marker (2026-07-28)",
	)
	text(&o.roundsAnswers, "rounds-answers", "answer the --rounds-tool with this `JSON` object (inputResponses)")
	flags.BoolVar(&o.roundsOnce, "rounds-once", false, "the state of the --rounds-tool must work only once")
	text(
		&o.roundsExpire,
		"rounds-expire",
		"let a state of the --rounds-tool expire with this `COMMAND`, for example 'sleep 15'; {state} is replaced",
	)
	text(&o.task, "task-tool", "the tool `NAME` has no arguments and can be called as a task (2025-11-25)")
	text(&o.serverLog, "server-log", "look for tokens in the server's log, `FILE`")
	text(
		&o.upstreamLog,
		"upstream-log",
		"look for tokens in the requests that the server sends on, one a line of `FILE`, with url, header and body",
	)
}

// fill adds the tools to a target.
func (o *toolOptions) fill(target *servers.Target) error {
	if err := o.check(); err != nil {
		return err
	}
	if o.canary != "" {
		target.Canary = &servers.Canary{
			Tool: o.canary,
			Ran:  func(marker string) int { return linesWith(o.canaryLog, marker) },
		}
	}
	if o.whoami != "" {
		path := strings.Split(o.whoamiField, ".")
		target.Whoami = &servers.Whoami{
			Tool:   o.whoami,
			Caller: func(result []byte) string { return valueAt(result, path) },
		}
	}
	if o.makeState != "" {
		target.Handles = &servers.Handles{Make: o.makeState, Use: o.useState}
	}
	if o.rounds != "" {
		answers := map[string]any{}
		if err := json.Unmarshal([]byte(o.roundsAnswers), &answers); err != nil {
			return fmt.Errorf("--rounds-answers: want a JSON object: %w", err)
		}
		expire, err := expiryCommand(o.roundsExpire)
		if err != nil {
			return fmt.Errorf("--rounds-expire: %w", err)
		}
		target.Rounds = &servers.Rounds{Tool: o.rounds, Answers: answers, Once: o.roundsOnce, Expire: expire}
	}
	target.TaskTool = o.task
	if o.serverLog != "" {
		target.Log = func() string {
			text, _ := os.ReadFile(o.serverLog) // check has seen the file
			return string(text)
		}
	}
	if o.upstreamLog != "" {
		target.Forwarded = func() []servers.Forwarded { return readForwarded(o.upstreamLog) }
	}
	return nil
}

// expiryCommand returns a func that runs a command, or nil if the command is empty.
func expiryCommand(line string) (func(ctx context.Context, state string) error, error) {
	words, err := splitWords(line)
	if err != nil || len(words) == 0 {
		return nil, err
	}
	return func(ctx context.Context, state string) error {
		given := make([]string, len(words))
		for i, word := range words {
			given[i] = strings.ReplaceAll(word, "{state}", state)
		}
		command := exec.CommandContext(ctx, given[0], given[1:]...)
		if output, err := command.CombinedOutput(); err != nil {
			return fmt.Errorf("--rounds-expire: %w; its output: %q", err, output[:min(len(output), maxTail)])
		}
		return nil
	}, nil
}

// check refuses half a pair of flags, and files that do not exist.
func (o *toolOptions) check() error {
	for _, pair := range []struct{ one, other, message string }{
		{o.canary, o.canaryLog, "--canary-tool and --canary-log"},
		{o.makeState, o.useState, "--state-tool and --handle-tool"},
		{o.rounds, o.roundsAnswers, "--rounds-tool and --rounds-answers"},
	} {
		if (pair.one == "") != (pair.other == "") {
			return errors.New(pair.message + " need each other; give both")
		}
	}
	if o.roundsExpire != "" && o.rounds == "" {
		return errors.New("--rounds-expire needs --rounds-tool; give both")
	}
	for _, file := range []struct{ flag, name string }{
		{"canary-log", o.canaryLog},
		{"server-log", o.serverLog},
		{"upstream-log", o.upstreamLog},
	} {
		if file.name == "" {
			continue
		}
		if _, err := os.Stat(file.name); err != nil {
			return fmt.Errorf("--%s: want a file that the server writes to: %w", file.flag, err)
		}
	}
	return nil
}

// linesWith counts the lines of a file that have a text.
func linesWith(file, text string) int {
	content, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	count := 0
	for line := range bytes.Lines(content) {
		if bytes.Contains(line, []byte(text)) {
			count++
		}
	}
	return count
}

// valueAt returns the value at a path in a JSON text, or "". A string is returned as it is, any
// other value as JSON.
func valueAt(text []byte, path []string) string {
	var value any
	if err := json.Unmarshal(text, &value); err != nil {
		return ""
	}
	for _, name := range path {
		switch container := value.(type) {
		case map[string]any:
			value = container[name]
		case []any:
			index, err := strconv.Atoi(name)
			if err != nil || index < 0 || index >= len(container) {
				return ""
			}
			value = container[index]
		default:
			return ""
		}
	}
	switch value := value.(type) {
	case nil:
		return ""
	case string:
		return value
	}
	written, _ := json.Marshal(value) // it was read from JSON
	return string(written)
}

// readForwarded reads requests, one JSON object a line. The values of the header are texts or lists
// of texts. Lines that are not JSON count as bodies, so that a token in them is found.
func readForwarded(file string) []servers.Forwarded {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	found := []servers.Forwarded{}
	for line := range bytes.Lines(content) {
		var request struct {
			URL    string         `json:"url"`
			Header map[string]any `json:"header"`
			Body   string         `json:"body"`
		}
		if err := json.Unmarshal(line, &request); err != nil {
			found = append(found, servers.Forwarded{Body: bytes.TrimSpace(line)})
			continue
		}
		header := http.Header{}
		for name, value := range request.Header {
			switch value := value.(type) {
			case []any:
				for _, one := range value {
					header.Add(name, fmt.Sprint(one))
				}
			default:
				header.Add(name, fmt.Sprint(value))
			}
		}
		found = append(found, servers.Forwarded{URL: request.URL, Header: header, Body: []byte(request.Body)})
	}
	return found
}
