package pipeline

import (
	"regexp"
	"strings"
)

// An Annotation is a message that GitHub shows beside the job, or beside a line of code.
type Annotation struct {
	Level      string            // error, warning or notice
	Properties map[string]string // title, file, line
	Message    string
}

// command matches a command to the runner in a log. Blanks before it do not matter.
var command = regexp.MustCompile(`^\s*::([A-Za-z0-9_-]+)( [^:]*)?::(.*)$`)

// decode undoes the encoding of messages and of properties.
var decode = strings.NewReplacer("%25", "%", "%0D", "\r", "%0A", "\n", "%3A", ":", "%2C", ",")

// annotations returns the annotations in a log. Between stop-commands and its token, there are no
// commands.
func annotations(log string) []Annotation {
	var found []Annotation
	token := ""
	for line := range strings.Lines(log) {
		match := command.FindStringSubmatch(strings.TrimRight(line, "\r\n"))
		switch {
		case match == nil:
		case token != "":
			if match[1] == token {
				token = ""
			}
		case match[1] == "stop-commands":
			token = match[3]
		case match[1] == "error" || match[1] == "warning" || match[1] == "notice":
			one := Annotation{Level: match[1], Properties: map[string]string{}, Message: decode.Replace(match[3])}
			for property := range strings.SplitSeq(strings.TrimSpace(match[2]), ",") {
				name, value, _ := strings.Cut(property, "=")
				one.Properties[name] = decode.Replace(value)
			}
			found = append(found, one)
		}
	}
	return found
}
