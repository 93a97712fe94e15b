package catalogue

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v4"
)

// An SDK is software of others for which a Fix has advice.
type SDK string

// The SDKs, as people type them.
const (
	TypeScript SDK = "typescript" // @modelcontextprotocol/sdk, and the packages of version 2
	FastMCP    SDK = "fastmcp"    // Python
	MCPGo      SDK = "mcp-go"
	GoSDK      SDK = "go-sdk"
)

// SDKs returns the SDKs in the order of the advice.
func SDKs() []SDK { return []SDK{TypeScript, FastMCP, MCPGo, GoSDK} }

// A Fix says what to change if a check of a topic fails.
type Fix struct {
	// Change is the change in one line.
	Change string
	// General is what to do with any software, in a few sentences.
	General string
	// Advice says how with each of the SDKs. Names of their APIs are in backquotes.
	Advice []Advice
	// Ours says what mcp-entra-server or mcp-entra-client do. It is empty if there is nothing to
	// say.
	Ours string
}

// Advice says how to change software that uses an SDK.
type Advice struct {
	// SDKs have this advice in common. Neither Go SDK has an authorization server, so the advice
	// for those names what takes their place.
	SDKs []SDK
	Text string
}

// For returns the advice for some SDKs.
func (f Fix) For(sdks ...SDK) []Advice {
	isWanted := func(sdk SDK) bool { return slices.Contains(sdks, sdk) }
	return slices.DeleteFunc(slices.Clone(f.Advice), func(advice Advice) bool {
		return !slices.ContainsFunc(advice.SDKs, isWanted)
	})
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
	return maps.Clone(all)
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

// fixText is a fix as a file has it.
type fixText struct {
	Change     string `yaml:"change"`
	General    string `yaml:"general"`
	TypeScript string `yaml:"typescript"`
	FastMCP    string `yaml:"fastmcp"`
	MCPGo      string `yaml:"mcp-go"`
	GoSDK      string `yaml:"go-sdk"`
	Go         string `yaml:"go"`
	Ours       string `yaml:"ours"`
}

// fix returns the fix with a text for each SDK, or an error that names the missing text.
func (t fixText) fix() (Fix, error) {
	if t.Change == "" || strings.Contains(t.Change, "\n") {
		return Fix{}, fmt.Errorf("want a change in one line, got %q", t.Change)
	}
	if t.General == "" {
		return Fix{}, errors.New("want general")
	}
	advice := []Advice{{[]SDK{TypeScript}, t.TypeScript}, {[]SDK{FastMCP}, t.FastMCP}}
	if t.Go != "" {
		advice = append(advice, Advice{[]SDK{MCPGo, GoSDK}, t.Go})
	} else {
		advice = append(advice, Advice{[]SDK{MCPGo}, t.MCPGo}, Advice{[]SDK{GoSDK}, t.GoSDK})
	}
	for _, one := range advice {
		if one.Text == "" {
			return Fix{}, fmt.Errorf("want advice for %s", one.SDKs[0])
		}
	}
	if t.Go != "" && t.MCPGo+t.GoSDK != "" {
		return Fix{}, errors.New("want advice for go, or for mcp-go and go-sdk, and not for all three")
	}
	return Fix{Change: t.Change, General: t.General, Advice: advice, Ours: t.Ours}, nil
}

// readFixes reads a file of fixes into all. Its errors name the file and the topic.
func readFixes(all map[string]Fix, name string, text []byte) error {
	var read map[string]fixText
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&read); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: %w", name, err)
	}
	for topic, texts := range read {
		if _, twice := all[topic]; twice {
			return fmt.Errorf("%s: want each topic once, got %s again", name, topic)
		}
		fix, err := texts.fix()
		if err != nil {
			return fmt.Errorf("%s: %s: %w", name, topic, err)
		}
		all[topic] = fix
	}
	return nil
}
