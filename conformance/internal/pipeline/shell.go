package pipeline

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// grace is how long a script may keep its output open after its end. A process that it has started
// and not redirected does so. The runners wait for the process without end.
const grace = 5 * time.Second

// runScript runs a script file. It returns the output, and whether the script succeeded.
func runScript(ctx context.Context, folder string, env []string, words ...string) (log string, ok bool, err error) {
	command := exec.CommandContext(ctx, words[0], words[1:]...)
	command.Dir = folder
	command.Env = env
	command.WaitDelay = grace
	var output bytes.Buffer
	command.Stdout = &output
	command.Stderr = &output
	err = command.Run()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return output.String(), false, nil
	}
	if errors.Is(err, exec.ErrWaitDelay) {
		return output.String(), false, fmt.Errorf("a process keeps the output of the script open: %s", &output)
	}
	return output.String(), err == nil, err
}

// exchanged are the files through which a step of GitHub hands values to the runner.
var exchanged = []string{"GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_PATH", "GITHUB_STEP_SUMMARY"}

// shell runs the script of a step, and takes what it hands over.
func (r *run) shell(ctx context.Context, step Step, executed *Executed) error {
	script, err := r.scope.text(step.Run)
	if err != nil {
		return fmt.Errorf("run: %w", err)
	}
	given, err := r.texts(step.Env)
	if err != nil {
		return fmt.Errorf("env: %w", err)
	}
	folder, err := os.MkdirTemp(r.at.Temp, "_runner-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	env := append([]string{}, r.at.Env...)
	env = append(env, r.env...)
	for name, value := range given {
		env = append(env, name+"="+value)
	}
	if len(r.path) > 0 {
		env = append(env, "PATH="+strings.Join(append(r.path, pathIn(env)), string(filepath.ListSeparator)))
	}
	env = append(env,
		"CI=true",
		"GITHUB_ACTIONS=true",
		"GITHUB_ACTION_PATH="+r.action.folder,
		"GITHUB_WORKSPACE="+r.at.Workspace,
		"RUNNER_TEMP="+r.at.Temp,
	)
	for _, name := range exchanged {
		file := filepath.Join(folder, name)
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			return err
		}
		env = append(env, name+"="+file)
	}
	file := filepath.Join(folder, "step.sh")
	if err := os.WriteFile(file, []byte(script+"\n"), 0o600); err != nil {
		return err
	}
	words := []string{"bash", "--noprofile", "--norc", "-eo", "pipefail", file}
	executed.Log, executed.Success, err = runScript(ctx, r.at.Workspace, env, words...)
	if err != nil {
		return err
	}
	executed.Annotations = annotations(executed.Log)
	return r.take(step, folder)
}

// pathIn returns the value of the last PATH.
func pathIn(env []string) string {
	path := ""
	for _, variable := range env {
		if value, found := strings.CutPrefix(variable, "PATH="); found {
			path = value
		}
	}
	return path
}

// take reads the files that a step has written.
func (r *run) take(step Step, folder string) error {
	texts := map[string]string{}
	for _, name := range exchanged {
		text, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			return err
		}
		texts[name] = string(text)
	}
	outputs, err := assignments(texts["GITHUB_OUTPUT"])
	if err != nil {
		return fmt.Errorf("GITHUB_OUTPUT: %w", err)
	}
	for name, value := range outputs {
		r.scope.values["steps."+step.ID+".outputs."+strings.ToLower(name)] = value
	}
	variables, err := assignments(texts["GITHUB_ENV"])
	if err != nil {
		return fmt.Errorf("GITHUB_ENV: %w", err)
	}
	for name, value := range variables {
		r.env = append(r.env, name+"="+value)
	}
	for folder := range strings.Lines(texts["GITHUB_PATH"]) {
		r.path = append([]string{strings.TrimSuffix(folder, "\n")}, r.path...)
	}
	r.outcome.Summary += texts["GITHUB_STEP_SUMMARY"]
	return nil
}

// assignments reads lines NAME=VALUE, and NAME<<END with lines up to END.
func assignments(text string) (map[string]string, error) {
	values := map[string]string{}
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	for i := 0; i < len(lines); i++ {
		name, value, isOne := strings.Cut(lines[i], "=")
		before, end, isMany := strings.Cut(lines[i], "<<")
		switch {
		case lines[i] == "":
		case isMany && (!isOne || len(before) < len(name)):
			var block []string
			for i++; i < len(lines) && lines[i] != end; i++ {
				block = append(block, lines[i])
			}
			if i == len(lines) {
				return nil, fmt.Errorf("want the line %q at the end of %s", end, before)
			}
			values[before] = strings.Join(block, "\n")
		case isOne:
			values[name] = value
		default:
			return nil, fmt.Errorf("want NAME=VALUE, got %q", lines[i])
		}
	}
	return values, nil
}
