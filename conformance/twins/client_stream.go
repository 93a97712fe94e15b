package twins

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

// stream looks for the answer among the events of a stream.
func (r *clientRun) stream(ctx context.Context, response *http.Response, body []byte) (map[string]any, error) {
	header := response.Header.Clone()
	for n := 0; ; n++ {
		id := ""
		for line := range bytes.SplitSeq(body, []byte("\n")) {
			if after, is := bytes.CutPrefix(line, []byte("id: ")); is {
				id = string(after)
			}
			data, is := bytes.CutPrefix(line, []byte("data: "))
			var message struct {
				ID any `json:"id"`
			}
			if is && json.Unmarshal(data, &message) == nil && (message.ID == float64(r.id) || r.has(TakesAnyResponse)) {
				return r.result(&http.Response{StatusCode: response.StatusCode, Header: header}, data)
			}
		}
		// It has no use for the rest of a stream that has broken off.
		id, after, _ := strings.Cut(id, "\r")
		more := http.Header{"Accept": {eventStream}, "Last-Event-Id": {id}, "Authorization": {"Bearer " + r.grant.access}, "Mcp-Session-Id": {r.session}}
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

// checkHeaders says what is wrong with the headers that a tool wants its parameters in (MCP 2026-07-28).
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
		for _, one := range tool.Schema.Properties {
			if one.Header == nil {
				continue
			}
			name := strings.ToLower(*one.Header)
			if name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" || seen[name] {
				return fmt.Errorf("the tool wants a parameter in the header %q", name)
			}
			seen[name] = true
		}
	}
	return nil
}
