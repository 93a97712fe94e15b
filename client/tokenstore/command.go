package tokenstore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
	"unicode"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// A Command hands records to a program of the user's choice, such as one that talks to a vault. It
// runs the program with one more argument: get, store or list.
//
// The program reads {"resource": …, "account": …} on standard input; for store, the object also has
// the member record, which holds secrets and comes back unchanged. It answers get with the record
// or nothing, and list with an array of {"resource", "account"}. An exit status other than 0 is a
// failure.
type Command struct {
	words       []string
	locksFolder string
}

const (
	commandTimeout = 30 * time.Second
	maxOutput      = 4 << 20
	maxComplaint   = 200 // runes
)

// NewCommand returns a store that runs a program, without a shell. The locks are files in a folder
// of this machine.
func NewCommand(words []string, locksFolder string) (*Command, error) {
	if len(words) == 0 {
		return nil, errors.New("token store: want a command, got none")
	}
	return &Command{words: words, locksFolder: locksFolder}, makePrivateFolder(locksFolder)
}

// Load returns the record of a key.
func (c *Command) Load(ctx context.Context, key Key) (Record, error) {
	var record Record
	return record, c.run(ctx, "get", key, &record)
}

// Save replaces the record of a key.
func (c *Command) Save(ctx context.Context, key Key, record Record) error {
	return c.run(ctx, "store", struct {
		Key    `json:",inline"`
		Record Record `json:"record"`
	}{key, record}, nil)
}

// Keys lists the keys that have a record.
func (c *Command) Keys(ctx context.Context) ([]Key, error) {
	var keys []Key
	return keys, c.run(ctx, "list", struct{}{}, &keys)
}

// Lock waits until no other caller on this machine holds the lock of a key.
func (c *Command) Lock(ctx context.Context, key Key) (unlock func(), err error) {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q", key.Resource, key.Account))
	return lockFile(ctx, filepath.Join(c.locksFolder, hex.EncodeToString(sum[:16])+lockSuffix))
}

func (c *Command) run(ctx context.Context, verb string, input, into any) error {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	text, err := json.Marshal(input, json.Deterministic(true))
	if err != nil {
		return fmt.Errorf("token store: %w", err)
	}
	run := exec.CommandContext(ctx, c.words[0], append(c.words[1:len(c.words):len(c.words)], verb)...)
	run.Stdin = bytes.NewReader(text)
	run.WaitDelay = time.Second
	var stdout, stderr boundedBuffer
	run.Stdout = &stdout
	run.Stderr = &stderr
	if err := run.Run(); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return fmt.Errorf("token store: %s %s: %w%s", c.words[0], verb, err, complaintIn(stderr.text))
	}
	if stdout.overflowed {
		return fmt.Errorf("token store: %s %s: wrote more than %d bytes", c.words[0], verb, maxOutput)
	}
	answer := bytes.TrimSpace(stdout.text)
	if into == nil || len(answer) == 0 {
		return nil
	}
	if err := json.Unmarshal(answer, into, jsontext.AllowDuplicateNames(false)); err != nil {
		return fmt.Errorf("token store: %s %s: want %s, got other text", c.words[0], verb, expectedAnswers[verb])
	}
	return nil
}

// expectedAnswers describes what a program writes for each verb.
var expectedAnswers = map[string]string{
	"get":  "the stored record as JSON, or nothing",
	"list": `a JSON array of {"resource", "account"}`,
}

// complaintIn returns the first line of a program's standard error, as the end of an error text.
func complaintIn(text []byte) string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	if line == "" {
		return ""
	}
	runes := []rune(line)
	return ": " + strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, string(runes[:min(len(runes), maxComplaint)]))
}

// A boundedBuffer keeps the first maxOutput bytes and drops the rest.
type boundedBuffer struct {
	text       []byte
	overflowed bool
}

func (b *boundedBuffer) Write(text []byte) (int, error) {
	room := min(len(text), maxOutput-len(b.text))
	b.text = append(b.text, text[:room]...)
	b.overflowed = b.overflowed || room < len(text)
	return len(text), nil
}
