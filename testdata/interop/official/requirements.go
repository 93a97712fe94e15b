package official

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v4"
)

// Requirements are the scenarios that a revision requires, and scenarios that the suite runs
// without a score.
type Requirements struct {
	Server    []string `yaml:"server"`
	Client    []string `yaml:"client"`
	NotScored []struct {
		Scenario string `yaml:"scenario"`
		Role     string `yaml:"leg"`
		Reason   string `yaml:"reason"`
	} `yaml:"not_scored"`
}

// Required reads the requirements of a revision from the suite's own list.
func Required(t testing.TB, revision string) *Requirements {
	t.Helper()
	Need(t)
	list := filepath.Join(folder(), "node_modules/@modelcontextprotocol/conformance/requirements", revision+".yaml")
	text, err := os.ReadFile(list)
	require.NoError(t, err)
	requirements := &Requirements{}
	require.NoError(t, yaml.Unmarshal(text, requirements))
	return requirements
}
