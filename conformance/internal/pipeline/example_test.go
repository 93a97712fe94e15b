package pipeline_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"mcpentra/conformance/internal/pipeline"
)

// Example runs an action with an input.
func Example() {
	folder, err := os.MkdirTemp("", "example-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(folder)
	const text = `
inputs:
  name: {default: ""}
runs:
  using: composite
  steps:
    - shell: bash
      run: echo "hello, $NAME"
      env: {NAME: "${{ inputs.name }}"}
`
	if err := os.WriteFile(filepath.Join(folder, "action.yml"), []byte(text), 0o600); err != nil {
		fmt.Println(err)
		return
	}
	action, err := pipeline.ReadAction(folder)
	if err != nil {
		fmt.Println(err)
		return
	}
	at := pipeline.Workplace{Workspace: folder, Temp: folder, Env: []string{"PATH=" + os.Getenv("PATH")}}
	outcome, err := at.Use(context.Background(), action, map[string]string{"name": "Ada"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(outcome.Log())
	// Output: hello, Ada
}
