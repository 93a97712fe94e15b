package broken

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"time"
)

// Faults of tasks.
const (
	SharesTasks          Fault = "lets any user at tasks"
	ListsTasksOfAll      Fault = "lists the tasks of all users"
	CancelsTasksOfAnyone Fault = "cancels a task for whoever asks, and says no"
	CountsTasks          Fault = "counts its tasks"
)

// taskTool can be called as a task.
const taskTool = "work"

// A task is under way until somebody cancels it.
type task struct {
	owner, status string
	begun         time.Time
}

func (k *task) shown(id string) map[string]any {
	begun := k.begun.UTC().Format(time.RFC3339)
	return map[string]any{"taskId": id, "status": k.status, "createdAt": begun, "lastUpdatedAt": begun, "ttl": 60_000}
}

// beginTask answers a call that is to be a task.
func (t *Server) beginTask(w http.ResponseWriter, request *message, caller claims) {
	if request.Params.Task == nil {
		fail(w, http.StatusOK, request, -32601, "a task or nothing")
		return
	}
	t.mu.Lock()
	id, begun := rand.Text(), &task{owner: caller.Subject, status: "working", begun: time.Now()}
	if t.has(CountsTasks) {
		id = fmt.Sprintf("task-%d", len(t.tasks))
	}
	t.tasks[id] = begun
	shown := begun.shown(id)
	t.mu.Unlock()
	respond(w, request, map[string]any{"task": shown})
}

// answerTask answers what is asked of tasks.
func (t *Server) answerTask(w http.ResponseWriter, request *message, caller claims) {
	if request.Method == "tasks/list" {
		respond(w, request, map[string]any{"tasks": t.listTasks(caller)})
		return
	}
	t.mu.Lock()
	found := t.tasks[request.Params.TaskID]
	if found != nil && found.owner != caller.Subject && !t.has(SharesTasks) {
		if t.has(CancelsTasksOfAnyone) && request.Method == "tasks/cancel" {
			found.status = "cancelled"
		}
		found = nil
	}
	if found == nil {
		t.mu.Unlock()
		fail(w, http.StatusOK, request, -32602, "no such task")
		return
	}
	if request.Method == "tasks/cancel" {
		found.status = "cancelled"
	}
	shown := found.shown(request.Params.TaskID)
	t.mu.Unlock()
	if request.Method == "tasks/result" {
		respondText(w, request, "done", false)
		return
	}
	respond(w, request, shown)
}

func (t *Server) listTasks(caller claims) []any {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := []any{}
	for id, one := range t.tasks {
		if one.owner == caller.Subject || t.has(SharesTasks) || t.has(ListsTasksOfAll) {
			all = append(all, one.shown(id))
		}
	}
	return all
}
