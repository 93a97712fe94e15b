package broken

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"time"
)

// Faults in tasks.
const (
	SharesTasks          Fault = "lets any user use tasks"
	ListsTasksOfAll      Fault = "lists the tasks of all users"
	CancelsTasksOfAnyone Fault = "cancels a task of another user, and reports an error"
	CountsTasks          Fault = "counts its tasks"
)

// taskTool can be called as a task.
const taskTool = "work"

// A task runs until its user cancels it.
type task struct {
	owner, status string
	begun         time.Time
}

func (k *task) shown(id string) map[string]any {
	begun := k.begun.UTC().Format(time.RFC3339)
	return map[string]any{"taskId": id, "status": k.status, "createdAt": begun, "lastUpdatedAt": begun, "ttl": 60_000}
}

// beginTask answers a call that starts a task.
func (s *Server) beginTask(w http.ResponseWriter, request *message, caller claims) {
	if request.Params.Task == nil {
		fail(w, http.StatusOK, request, -32601, "the tool runs only as a task")
		return
	}
	s.mu.Lock()
	id := rand.Text()
	begun := &task{owner: caller.Subject, status: "working", begun: time.Now()}
	if s.has(CountsTasks) {
		id = fmt.Sprintf("task-%d", len(s.tasks))
	}
	s.tasks[id] = begun
	shown := begun.shown(id)
	s.mu.Unlock()
	respond(w, request, map[string]any{"task": shown})
}

// answerTask answers the methods of tasks.
func (s *Server) answerTask(w http.ResponseWriter, request *message, caller claims) {
	if request.Method == "tasks/list" {
		respond(w, request, map[string]any{"tasks": s.listTasks(caller)})
		return
	}
	s.mu.Lock()
	found := s.tasks[request.Params.TaskID]
	if found != nil && found.owner != caller.Subject && !s.has(SharesTasks) {
		if s.has(CancelsTasksOfAnyone) && request.Method == "tasks/cancel" {
			found.status = "cancelled"
		}
		found = nil
	}
	if found == nil {
		s.mu.Unlock()
		fail(w, http.StatusOK, request, -32602, "unknown task")
		return
	}
	if request.Method == "tasks/cancel" {
		found.status = "cancelled"
	}
	shown := found.shown(request.Params.TaskID)
	s.mu.Unlock()
	if request.Method == "tasks/result" {
		respondText(w, request, "done", false)
		return
	}
	respond(w, request, shown)
}

func (s *Server) listTasks(caller claims) []any {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := []any{}
	for id, listed := range s.tasks {
		if listed.owner == caller.Subject || s.has(SharesTasks) || s.has(ListsTasksOfAll) {
			all = append(all, listed.shown(id))
		}
	}
	return all
}
