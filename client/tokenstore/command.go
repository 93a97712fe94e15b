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

// A Command keeps records with a program of somebody else's, such as one that talks to a vault. It
// is run with one more argument: get, store or list. On standard input it reads {"resource": …,
// "account": …}, for store with the member record, which holds secrets and is for it to keep as it
// is. get answers the record or nothing, list an array of {"resource", "account"}. Another status
// than 0 is a failure.
type Command struct {
	words  []string
	folder string
}

const (
	commandTimeout = 30 * time.Second
	maxOutput      = 4 << 20
)

// NewCommand uses a program, which is not run by a shell. Locks lie in a folder of this machine.
func NewCommand(words []string, locks string) (*Command, error) {
	if len(words) == 0 {
		return nil, errors.New("token store: want a command")
	}
	return &Command{words: words, folder: locks}, ownFolder(locks)
}

// Load returns the record of a place.
func (c *Command) Load(ctx context.Context, place Place) (Record, error) {
	var record Record
	return record, c.run(ctx, "get", place, &record)
}

// Save replaces the record of a place.
func (c *Command) Save(ctx context.Context, place Place, record Record) error {
	return c.run(ctx, "store", struct {
		Place  `json:",inline"`
		Record Record `json:"record"`
	}{place, record}, nil)
}

// Places lists the places that have a record.
func (c *Command) Places(ctx context.Context) ([]Place, error) {
	var places []Place
	return places, c.run(ctx, "list", struct{}{}, &places)
}

// Lock waits until nobody else on this machine holds a place.
func (c *Command) Lock(ctx context.Context, place Place) (unlock func(), err error) {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q", place.Resource, place.Account))
	return lockFile(ctx, filepath.Join(c.folder, hex.EncodeToString(sum[:16])+lockSuffix))
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
	var out, complaint bounded
	run.Stdout = &out
	run.Stderr = &complaint
	if err := run.Run(); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return fmt.Errorf("token store: %s %s: %w%s", c.words[0], verb, err, said(complaint.text))
	}
	if out.over {
		return fmt.Errorf("token store: %s %s: more than %d bytes", c.words[0], verb, maxOutput)
	}
	if answer := bytes.TrimSpace(out.text); into != nil && len(answer) > 0 {
		if err := json.Unmarshal(answer, into, jsontext.AllowDuplicateNames(false)); err != nil {
			return fmt.Errorf("token store: %s %s: the answer is not the JSON that was wanted", c.words[0], verb)
		}
	}
	return nil
}

// said is the first line of what a program complained, for an error.
func said(text []byte) string {
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
	}, string(runes[:min(len(runes), 200)]))
}

// bounded takes so much output and no more.
type bounded struct {
	text []byte
	over bool
}

func (b *bounded) Write(text []byte) (int, error) {
	room := min(len(text), maxOutput-len(b.text))
	b.text, b.over = append(b.text, text[:room]...), b.over || room < len(text)
	return len(text), nil
}
