package clients_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"testing"

	"mcpentra/conformance/clients"
)

// A runTask is the Run of a target.
type runTask = func(ctx context.Context, task clients.Task) error

// nodeClient returns a client of a module for client.mjs. Node.js takes much longer to load a
// client than to run it, so each process does one task after the other. A process whose task is
// cancelled is killed.
func nodeClient(module, env string) func(t *testing.T) runTask {
	return func(t *testing.T) runTask {
		idle := make(chan *nodeProcess, 16)
		t.Cleanup(func() {
			for len(idle) > 0 {
				(<-idle).stop()
			}
		})
		return func(ctx context.Context, task clients.Task) error {
			process := (*nodeProcess)(nil)
			select {
			case process = <-idle:
			default:
				var err error
				if process, err = startNode(module, env); err != nil {
					return err
				}
			}
			err := process.do(ctx, task)
			if process.stopped {
				return err
			}
			idle <- process
			return err
		}
	}
}

// A nodeProcess does one task at a time.
type nodeProcess struct {
	run     *exec.Cmd
	tasks   io.WriteCloser
	answers *bufio.Reader
	stopped bool
}

func startNode(module, env string) (*nodeProcess, error) {
	run := exec.Command("node", "client.mjs", module)
	run.Dir = "../../testdata/interop/foreign"
	run.Env = append(os.Environ(), env)
	tasks, err := run.StdinPipe()
	if err != nil {
		return nil, err
	}
	answers, err := run.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := run.Start(); err != nil {
		return nil, err
	}
	return &nodeProcess{run: run, tasks: tasks, answers: bufio.NewReader(answers)}, nil
}

func (p *nodeProcess) stop() {
	p.stopped = true
	_ = p.run.Process.Kill()
	_ = p.run.Wait()
}

// do does a task, and kills the process if the context ends before.
func (p *nodeProcess) do(ctx context.Context, task clients.Task) error {
	line, err := json.Marshal(map[string]any{"url": task.URL, "context": suiteContext(task)})
	if err != nil {
		return err
	}
	if _, err := p.tasks.Write(append(line, '\n')); err != nil {
		p.stop()
		return err
	}
	answered := make(chan error, 1)
	var answer struct{ Error string }
	go func() {
		text, err := p.answers.ReadBytes('\n')
		if err == nil {
			err = json.Unmarshal(text, &answer)
		}
		answered <- err
	}()
	select {
	case err = <-answered:
	case <-ctx.Done():
		_ = p.run.Process.Kill()
		<-answered
		err = ctx.Err()
	}
	if err != nil {
		p.stop()
		return err
	}
	if answer.Error != "" {
		_, _ = io.WriteString(task.Output, answer.Error+"\n")
		return errors.New("the task failed")
	}
	return nil
}

// suiteContext returns the members of MCP_CONFORMANCE_CONTEXT that the clients use.
func suiteContext(task clients.Task) map[string]any {
	values := map[string]any{
		"client_id":     task.ClientID,
		"client_secret": task.ClientSecret,
		"issuer":        task.ClientIssuer,
		"calls":         max(1, task.Calls),
	}
	if task.Machine {
		values["grant_type"] = "client_credentials"
	}
	if task.ClientKey != "" {
		values["private_key_pem"] = task.ClientKey
		values["signing_algorithm"] = "ES256"
	}
	return values
}
