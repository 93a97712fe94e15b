package pipeline

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// An Action is a composite action of GitHub.
type Action struct {
	Name        string            `yaml:"name"`
	Description string            `yaml:"description"`
	Branding    map[string]string `yaml:"branding"`
	Inputs      map[string]Input  `yaml:"inputs"`
	Outputs     map[string]Output `yaml:"outputs"`
	Runs        struct {
		Using string `yaml:"using"`
		Steps []Step `yaml:"steps"`
	} `yaml:"runs"`

	folder string
}

// An Input is an input of an action.
type Input struct {
	Description string `yaml:"description"`
	Default     string `yaml:"default"`
	Required    bool   `yaml:"required"`
}

// An Output is an output of an action.
type Output struct {
	Description string `yaml:"description"`
	Value       string `yaml:"value"`
}

// A Step is a step of an action.
type Step struct {
	ID    string            `yaml:"id"`
	If    string            `yaml:"if"`
	Shell string            `yaml:"shell"`
	Run   string            `yaml:"run"`
	Uses  string            `yaml:"uses"`
	With  map[string]string `yaml:"with"`
	Env   map[string]string `yaml:"env"`
}

// ReadAction reads the action of a folder. It refuses members that this package does not know.
func ReadAction(folder string) (*Action, error) {
	text, err := os.ReadFile(filepath.Join(folder, "action.yml"))
	if err != nil {
		return nil, err
	}
	action := &Action{}
	if err := yaml.Load(text, action, yaml.WithKnownFields()); err != nil {
		return nil, err
	}
	if action.Runs.Using != "composite" {
		return nil, fmt.Errorf("want a composite action, got %q", action.Runs.Using)
	}
	for i, step := range action.Runs.Steps {
		if isRun := step.Run != ""; isRun == (step.Uses != "") || isRun != (step.Shell == "bash") {
			return nil, fmt.Errorf("step %d: want either uses, or run with the shell bash", i+1)
		}
	}
	action.folder, err = filepath.Abs(folder)
	return action, err
}

// A Workplace is the machine of a runner.
type Workplace struct {
	Workspace string   // the folder of the checkout
	Temp      string   // the folder of temporary files
	Env       []string // the variables of the machine, NAME=VALUE
}

// An Outcome says what an action did.
type Outcome struct {
	Success bool
	Steps   []Executed // without those that were skipped
	Outputs map[string]string
	Summary string // Markdown
}

// An Executed is a step that ran.
type Executed struct {
	ID          string
	Uses        string            // of a step that uses another action
	With        map[string]string // the inputs of the other action
	Log         string
	Annotations []Annotation
	Success     bool
}

// Log returns the output of all steps.
func (o *Outcome) Log() string {
	var text strings.Builder
	for _, step := range o.Steps {
		text.WriteString(step.Log)
	}
	return text.String()
}

// Annotations returns the annotations of all steps.
func (o *Outcome) Annotations() []Annotation {
	var all []Annotation
	for _, step := range o.Steps {
		all = append(all, step.Annotations...)
	}
	return all
}

// A run is one use of an action.
type run struct {
	action  *Action
	at      Workplace
	scope   scope
	env     []string // the variables of the steps
	path    []string // folders that steps have put before PATH
	outcome *Outcome
}

// Use runs an action with inputs. An error means that GitHub would refuse the action itself; a step
// that fails is part of the outcome.
func (w Workplace) Use(ctx context.Context, action *Action, with map[string]string) (*Outcome, error) {
	r := &run{
		action: action,
		at:     w,
		scope: scope{values: map[string]string{
			"github.action_path": action.folder,
			"github.workspace":   w.Workspace,
			"runner.temp":        w.Temp,
		}},
		outcome: &Outcome{Outputs: map[string]string{}},
	}
	if err := r.readInputs(with); err != nil {
		return nil, err
	}
	for i, step := range action.Runs.Steps {
		runs, err := r.scope.holds(step.If)
		if err != nil {
			return nil, fmt.Errorf("step %d: if: %w", i+1, err)
		}
		if !runs {
			continue
		}
		if err := r.step(ctx, step); err != nil {
			return nil, fmt.Errorf("step %d: %w", i+1, err)
		}
	}
	for name, output := range action.Outputs {
		value, err := r.scope.text(output.Value)
		if err != nil {
			return nil, fmt.Errorf("output %s: %w", name, err)
		}
		r.outcome.Outputs[name] = value
	}
	r.outcome.Success = !r.scope.failed
	return r.outcome, nil
}

func (r *run) readInputs(with map[string]string) error {
	for name := range with {
		if _, ok := r.action.Inputs[name]; !ok {
			return fmt.Errorf("the action has no input %q", name)
		}
	}
	for name, input := range r.action.Inputs {
		value, given := with[name]
		if !given {
			value = input.Default
		}
		if input.Required && !given {
			return fmt.Errorf("the action needs the input %q", name)
		}
		r.scope.values["inputs."+name] = value
	}
	return nil
}

func (r *run) step(ctx context.Context, step Step) error {
	executed := Executed{ID: step.ID, Uses: step.Uses, Success: true}
	with, err := r.texts(step.With)
	if err != nil {
		return err
	}
	executed.With = with
	if step.Run != "" {
		if err := r.shell(ctx, step, &executed); err != nil {
			return err
		}
	}
	r.outcome.Steps = append(r.outcome.Steps, executed)
	r.scope.failed = r.scope.failed || !executed.Success
	return nil
}

// texts replaces the expressions in the values of a map.
func (r *run) texts(source map[string]string) (map[string]string, error) {
	replaced := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(source)) {
		value, err := r.scope.text(source[name])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		replaced[name] = value
	}
	return replaced, nil
}
