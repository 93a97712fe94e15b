package catalogue

import (
	"bytes"
	"embed"
	"fmt"
	"io/fs"
	"strings"
	"sync"

	"go.yaml.in/yaml/v4"
)

// A Fix says what to change if a check of a topic fails.
type Fix struct {
	// Change is the change in one line.
	Change string `yaml:"change"`
}

//go:embed fixes/*.yaml
var fixes embed.FS

var embeddedFixes = sync.OnceValues(func() (map[string]Fix, error) {
	names, err := fs.Glob(fixes, "fixes/*.yaml")
	if err != nil {
		return nil, err
	}
	all := map[string]Fix{}
	for _, name := range names {
		text, err := fixes.ReadFile(name)
		if err != nil {
			return nil, err
		}
		if err := readFixes(all, name, text); err != nil {
			return nil, err
		}
	}
	return all, nil
})

// Fixes returns the fix of each topic. A topic is the first two segments of the IDs of its checks,
// for example server/token. Fixes panics if an embedded file has a syntax error; the tests of this
// package read the files.
func Fixes() map[string]Fix {
	all, err := embeddedFixes()
	if err != nil {
		panic(fmt.Errorf("embedded fixes: %w", err))
	}
	return all
}

// FixFor returns the fix for a check, by the topic of its ID.
func FixFor(ruleID string) (Fix, bool) {
	fix, found := Fixes()[Topic(ruleID)]
	return fix, found
}

// Topic returns the topic of a check's ID: the first two of its segments, for example server/token
// of server/token/expired.
func Topic(ruleID string) string {
	segments := strings.SplitN(ruleID, "/", 3)
	return strings.Join(segments[:min(2, len(segments))], "/")
}

// readFixes reads a file of fixes into all. Its errors name the file.
func readFixes(all map[string]Fix, name string, text []byte) error {
	var read map[string]Fix
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&read); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	for topic, fix := range read {
		if _, twice := all[topic]; twice {
			return fmt.Errorf("%s: want each topic once, got %s again", name, topic)
		}
		all[topic] = fix
	}
	return nil
}
