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

// A Job is a job of a pipeline of GitLab.
type Job struct {
	Image        string            `yaml:"image"`
	Stage        string            `yaml:"stage"`
	Variables    map[string]string `yaml:"variables"`
	BeforeScript []string          `yaml:"before_script"`
	Script       []string          `yaml:"script"`
	AfterScript  []string          `yaml:"after_script"`
	Artifacts    struct {
		When     string   `yaml:"when"`
		ExpireIn string   `yaml:"expire_in"`
		Paths    []string `yaml:"paths"`
		Reports  struct {
			JUnit string `yaml:"junit"`
		} `yaml:"reports"`
	} `yaml:"artifacts"`
}

// ReadJob reads a job from the text of a .gitlab-ci.yml. Included files of other projects are below
// the folder files. ReadJob refuses members of the job that this package does not know.
func ReadJob(text []byte, files, name string) (*Job, error) {
	all, err := readJobs(text, files)
	if err != nil {
		return nil, err
	}
	merged, err := extended(all, name, 0)
	if err != nil {
		return nil, err
	}
	plain, err := yaml.Marshal(merged)
	if err != nil {
		return nil, err
	}
	job := &Job{}
	if err := yaml.Load(plain, job, yaml.WithKnownFields()); err != nil {
		return nil, fmt.Errorf("job %s: %w", name, err)
	}
	return job, nil
}

// readJobs returns the members of a file, after the members of the files that it includes.
func readJobs(text []byte, files string) (map[string]any, error) {
	var document map[string]any
	if err := yaml.Load(text, &document); err != nil {
		return nil, err
	}
	included, _ := document["include"].([]any)
	delete(document, "include")
	all := map[string]any{}
	for _, entry := range included {
		members, _ := entry.(map[string]any)
		file, _ := members["file"].(string)
		if members["project"] == nil || members["ref"] == nil || !strings.HasPrefix(file, "/") {
			return nil, fmt.Errorf("include: want project, ref, and file with a leading /, got %v", entry)
		}
		text, err := os.ReadFile(filepath.Join(files, filepath.FromSlash(file)))
		if err != nil {
			return nil, fmt.Errorf("include: %w", err)
		}
		more, err := readJobs(text, files)
		if err != nil {
			return nil, fmt.Errorf("include %s: %w", file, err)
		}
		maps.Copy(all, more)
	}
	maps.Copy(all, document)
	return all, nil
}

// maxExtends bounds a chain of extends, as GitLab does.
const maxExtends = 11

// extended returns a job together with the job that it extends.
func extended(all map[string]any, name string, depth int) (map[string]any, error) {
	job, ok := all[name].(map[string]any)
	if !ok || depth > maxExtends {
		return nil, fmt.Errorf("there is no job %q, or it extends too many", name)
	}
	base, extends := job["extends"].(string)
	if !extends {
		return job, nil
	}
	merged, err := extended(all, base, depth+1)
	if err != nil {
		return nil, err
	}
	own := maps.Clone(job)
	delete(own, "extends")
	return merge(merged, own), nil
}

// merge merges maps, and replaces all other values.
func merge(under, over map[string]any) map[string]any {
	merged := maps.Clone(under)
	for name, value := range over {
		below, isBelow := merged[name].(map[string]any)
		above, isAbove := value.(map[string]any)
		if isBelow && isAbove {
			value = merge(below, above)
		}
		merged[name] = value
	}
	return merged
}

// A JobOutcome says what a job did.
type JobOutcome struct {
	Success bool
	Log     string
}

// options are what GitLab's runner sets in every shell.
const options = `if set -o | grep pipefail > /dev/null; then set -o pipefail; fi; set -o errexit
set +o noclobber
`

// RunJob runs a job in a shell, bash or sh. The commands of before_script and script share the
// shell; after_script has another.
func (w Workplace) RunJob(ctx context.Context, job *Job, shell string) (*JobOutcome, error) {
	outcome := &JobOutcome{}
	env := slices.Concat(w.Env, []string{"CI=true", "GITLAB_CI=true", "CI_PROJECT_DIR=" + w.Workspace})
	for _, name := range slices.Sorted(maps.Keys(job.Variables)) {
		value := os.Expand(job.Variables[name], func(other string) string {
			return job.variable(other, w.Workspace)
		})
		env = append(env, name+"="+value)
	}
	var err error
	commands := slices.Concat(job.BeforeScript, job.Script)
	outcome.Log, outcome.Success, err = w.shell(ctx, shell, env, commands)
	if err != nil || len(job.AfterScript) == 0 {
		return outcome, err
	}
	log, _, err := w.shell(ctx, shell, env, job.AfterScript)
	outcome.Log += log
	return outcome, err
}

// variable returns the value of a name in the value of a variable.
func (j *Job) variable(name, workspace string) string {
	if name == "$" {
		return "$"
	}
	if name == "CI_PROJECT_DIR" {
		return workspace
	}
	return j.Variables[name]
}

func (w Workplace) shell(ctx context.Context, shell string, env, commands []string) (string, bool, error) {
	file := filepath.Join(w.Temp, "job.sh")
	script := options + strings.Join(commands, "\n") + "\n"
	if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
		return "", false, err
	}
	return runScript(ctx, w.Workspace, env, shell, file)
}
