package broken

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

const eventStream = "text/event-stream"

var errBrokenOff = errors.New("the stream has broken off")

// stream reads events until the response to the last request.
func (r *attempt) stream(ctx context.Context, response *http.Response, body []byte) (map[string]any, error) {
	header := response.Header.Clone()
	if r.has(HangsOnManyResponses) && bytes.Count(body, []byte("data: ")) > 1000 {
		return nil, hang(ctx)
	}
	for n := 0; ; n++ {
		id := ""
		for line := range bytes.SplitSeq(body, []byte("\n")) {
			if after, is := bytes.CutPrefix(line, []byte("id: ")); is {
				id = string(after)
			}
			data, is := bytes.CutPrefix(line, []byte("data: "))
			var message struct {
				ID     any    `json:"id"`
				Method string `json:"method"`
				Params elicitation
			}
			readable := is && json.Unmarshal(data, &message) == nil
			if readable && message.Method == "elicitation/create" {
				r.elicit(ctx, message.Params)
				continue
			}
			if readable && (message.ID == float64(r.id) || r.has(TakesAnyResponse)) {
				return r.result(&http.Response{StatusCode: response.StatusCode, Header: header}, data)
			}
		}
		id, after, _ := strings.Cut(id, "\r")
		more := http.Header{
			"Accept":         {eventStream},
			"Last-Event-Id":  {id},
			"Authorization":  {"Bearer " + r.grant.access},
			"Mcp-Session-Id": {r.session},
		}
		switch {
		case r.has(SplitsEventIDs) && n == 0 && after != "":
			name, value, _ := strings.Cut(after, ": ")
			more.Set(name, value)
		case !r.has(ResumesForever):
			return nil, errBrokenOff
		}
		more.Set("Mcp-Protocol-Version", string(r.revision()))
		var err error
		if response, body, err = r.do(ctx, http.MethodGet, r.task.URL, more, nil); err != nil {
			return nil, err
		}
		if response.StatusCode != http.StatusOK {
			return nil, errBrokenOff
		}
	}
}

// elicitation holds the parameters of elicitation/create.
type elicitation struct {
	Mode string `json:"mode"`
	URL  string `json:"url"`
}

// elicit opens or fetches the page without the person's consent, for two faults.
func (r *attempt) elicit(ctx context.Context, wanted elicitation) {
	if r.has(OpensElicited) {
		_ = r.task.Open(ctx, wanted.URL)
	}
	if r.has(FetchesElicited) {
		_, _, _ = r.do(ctx, http.MethodGet, wanted.URL, http.Header{}, nil)
	}
}

// checkHeaders returns an error if an x-mcp-header of a tool is invalid or repeated (MCP
// 2026-07-28).
func checkHeaders(listed []byte) error {
	var tools struct {
		Tools []struct {
			Schema struct {
				Properties map[string]struct {
					Header *string `json:"x-mcp-header"`
				} `json:"properties"`
			} `json:"inputSchema"`
		} `json:"tools"`
	}
	if err := json.Unmarshal(listed, &tools); err != nil {
		return err
	}
	for _, tool := range tools.Tools {
		seen := map[string]bool{}
		for _, property := range tool.Schema.Properties {
			if property.Header == nil {
				continue
			}
			name := strings.ToLower(*property.Header)
			if name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" || seen[name] {
				return fmt.Errorf("want a valid, unique x-mcp-header, got %q", name)
			}
			seen[name] = true
		}
	}
	return nil
}
