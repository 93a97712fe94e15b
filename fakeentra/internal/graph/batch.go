package graph

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

const (
	maxBatch     = 512 << 10 // bytes
	maxBatchSize = 20        // requests
)

// A batchRequest is one request of a batch (JSON batching of Microsoft Graph).
type batchRequest struct {
	ID        string            `json:"id"`
	Method    string            `json:"method"`
	URL       string            `json:"url"`
	Headers   map[string]string `json:"headers"`
	Body      json.RawMessage   `json:"body"`
	DependsOn []string          `json:"dependsOn"`
}

// A batchResponse is the answer to one request of a batch.
type batchResponse struct {
	ID      string            `json:"id"`
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers"`
	Body    any               `json:"body,omitempty"`
}

// batch answers the requests of a batch one after the other, each after those that it depends on.
// It answers 424 if one of those failed.
func (g *server) batch(w http.ResponseWriter, r *http.Request) {
	if _, refusal := g.authenticate(r.Context(), r.Header); refusal != nil {
		g.refuse(w, refusal)
		return
	}
	var asked struct {
		Requests []batchRequest `json:"requests"`
	}
	wrong := badRequest("Invalid batch payload format.")
	if json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBatch)).Decode(&asked) == nil {
		wrong = checkBatch(asked.Requests)
	}
	if wrong != nil {
		g.fail(w, wrong.status, wrong.code, wrong.message)
		return
	}
	statuses := map[string]int{}
	responses := []batchResponse{}
	for len(responses) < len(asked.Requests) {
		for i := range asked.Requests {
			request := &asked.Requests[i]
			if statuses[request.ID] != 0 || !request.isReady(statuses) {
				continue
			}
			response := g.answerBatched(r, request, statuses)
			statuses[request.ID] = response.Status
			responses = append(responses, response)
		}
	}
	write(w, http.StatusOK, object{{"responses", responses}})
}

// checkBatch checks the requests of a batch (M: the sentences).
func checkBatch(requests []batchRequest) *problem {
	if len(requests) > maxBatchSize {
		return badRequest("Number of batch request steps exceeds the maximum value of %d.", maxBatchSize)
	}
	seen := map[string]bool{}
	for i := range requests {
		request := &requests[i]
		parsed, err := url.Parse(request.URL)
		isRelative := err == nil && request.URL != "" && !parsed.IsAbs() && parsed.Host == ""
		switch {
		case request.ID == "" || seen[request.ID]:
			return badRequest("Request Id has to be a unique and non-empty string in batch payload.")
		case !isRelative || strings.Contains(parsed.Path, "$batch"):
			return badRequest("Invalid batch payload format: want the address of request '%s' below the version, "+
				"such as /me.", request.ID)
		case !isMethod(request.Method):
			return badRequest("Invalid batch payload format: request '%s' has no HTTP method.", request.ID)
		}
		seen[request.ID] = true
	}
	return checkDependencies(requests)
}

func isMethod(method string) bool {
	return slices.Contains([]string{"GET", "POST", "PUT", "PATCH", "DELETE"}, strings.ToUpper(method))
}

// checkDependencies refuses unknown IDs and circles in dependsOn.
func checkDependencies(requests []batchRequest) *problem {
	done := map[string]int{}
	for range requests {
		for i := range requests {
			if requests[i].isReady(done) {
				done[requests[i].ID] = http.StatusOK
			}
		}
	}
	for i := range requests {
		if done[requests[i].ID] == 0 {
			return badRequest("Invalid dependsOn of request '%s': it names an unknown request, or a circle.",
				requests[i].ID)
		}
	}
	return nil
}

// isReady reports whether all requests that this one depends on are done.
func (b *batchRequest) isReady(statuses map[string]int) bool {
	isMissing := func(id string) bool { return statuses[id] == 0 }
	return !slices.ContainsFunc(b.DependsOn, isMissing)
}

// answerBatched answers one request of a batch, with the token of the batch.
func (g *server) answerBatched(outer *http.Request, b *batchRequest, statuses map[string]int) batchResponse {
	answer := &recorder{header: http.Header{}}
	failed := func(id string) bool { return statuses[id] >= http.StatusBadRequest }
	version, _, _ := strings.Cut(strings.TrimPrefix(outer.URL.Path, "/"), "/")
	address := "/" + version + "/" + strings.TrimPrefix(b.URL, "/")
	method := strings.ToUpper(b.Method)
	request, err := http.NewRequestWithContext(outer.Context(), method, address, bytes.NewReader(b.Body))
	switch {
	case slices.ContainsFunc(b.DependsOn, failed):
		g.fail(answer, http.StatusFailedDependency, "FailedDependency", "A request that this one depends on failed.")
	case err != nil:
		g.fail(answer, http.StatusBadRequest, "BadRequest", "The address of the request is not well formed.")
	default:
		for name, value := range b.Headers {
			request.Header.Set(name, value)
		}
		request.Header.Set("Authorization", outer.Header.Get("Authorization"))
		g.batched.ServeHTTP(answer, request)
	}
	return answer.response(b.ID)
}

// A recorder keeps the answer to a request of a batch.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header { return r.header }

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
}

func (r *recorder) Write(text []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	return r.body.Write(text)
}

// response returns the answer as a part of a batch. A body that is not JSON becomes a text: plain
// text as it is, and anything else in base64.
func (r *recorder) response(id string) batchResponse {
	response := batchResponse{ID: id, Status: max(r.status, http.StatusOK), Headers: map[string]string{}}
	for _, name := range []string{"Cache-Control", "Content-Type", "Retry-After", "WWW-Authenticate"} {
		if value := r.header.Get(name); value != "" {
			response.Headers[name] = value
		}
	}
	switch kind := r.header.Get("Content-Type"); {
	case r.body.Len() == 0:
	case strings.HasPrefix(kind, "application/json") && json.Valid(r.body.Bytes()):
		response.Body = json.RawMessage(r.body.Bytes())
	case strings.HasPrefix(kind, "text/"):
		response.Body = r.body.String()
	default:
		response.Body = base64.StdEncoding.EncodeToString(r.body.Bytes())
	}
	return response
}
