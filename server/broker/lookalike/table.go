package lookalike

import (
	"bufio"
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

//go:embed known_clients.json
var knownClients []byte

//go:embed confusables.txt
var confusables string

// A knownClient is a program that people know by name.
type knownClient struct {
	Names []string `json:"names"`
	// Hosts are the hosts of its redirect URIs.
	Hosts []string `json:"hosts"`
	// Loopback says that it also waits for answers on the person's own computer.
	Loopback bool `json:"loopback"`
	// CommonWord says that other names may contain this name as a word, as in "Database Cursor
	// Viewer".
	CommonWord bool `json:"commonWord"`
	// Source is the document that shows this.
	Source string `json:"source"`

	skeletons []string
}

// A Table compares names and hosts with the names and hosts of known clients. It is safe for
// concurrent use.
type Table struct {
	clients     []*knownClient
	decorations map[string]bool
	letters     map[rune]rune // the ASCII letter that a letter looks like
}

// Load reads the embedded table.
func Load() (*Table, error) {
	t := &Table{letters: map[rune]rune{}, decorations: map[string]bool{}}
	if err := t.loadConfusables(); err != nil {
		return nil, err
	}
	return t, t.loadClients()
}

func (t *Table) loadConfusables() error {
	lines := bufio.NewScanner(strings.NewReader(confusables))
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) == 0 || fields[0] == "#" {
			continue
		}
		for _, field := range fields[1:] {
			letter, size := utf8.DecodeRuneInString(field)
			if size != len(field) || len(fields[0]) != 1 {
				return fmt.Errorf("lookalike: confusables.txt: want single letters, got %q", field)
			}
			t.letters[letter] = rune(fields[0][0])
		}
	}
	return lines.Err()
}

func (t *Table) loadClients() error {
	var content struct {
		Clients     []*knownClient `json:"clients"`
		Decorations []string       `json:"decorations"`
	}
	if err := json.Unmarshal(knownClients, &content); err != nil {
		return fmt.Errorf("lookalike: known_clients.json: %w", err)
	}
	t.clients = content.Clients
	for _, client := range t.clients {
		for _, name := range client.Names {
			client.skeletons = append(client.skeletons, strings.Join(t.words(name, reading{}), ""))
		}
	}
	for _, word := range content.Decorations {
		t.decorations[strings.Join(t.words(word, reading{}), "")] = true
	}
	return nil
}
