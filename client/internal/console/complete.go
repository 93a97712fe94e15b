package console

import "strings"

// complete extends a line up to the first ambiguous character. It completes commands, the tool of
// call and describe, and the tool's parameters.
func complete(line string, tools []Tool) string {
	verb, rest, hasVerb := strings.Cut(line, " ")
	if !hasVerb {
		return extend("", line, commands, " ")
	}
	if verb != "call" && verb != "describe" {
		return line
	}
	name, arguments, hasName := strings.Cut(strings.TrimLeft(rest, " "), " ")
	if !hasName {
		var names []string
		for _, tool := range tools {
			names = append(names, tool.Name)
		}
		return extend(verb+" ", name, names, " ")
	}
	tool, found := findTool(tools, name)
	if verb != "call" || !found || strings.HasPrefix(strings.TrimSpace(arguments), "{") {
		return line
	}
	var names []string
	for _, parameter := range tool.schema.parameters {
		names = append(names, parameter.Name)
	}
	wordStart := strings.LastIndex(line, " ") + 1
	return extend(line[:wordStart], line[wordStart:], names, "=")
}

// extend completes the last word of a line. If only one candidate fits, it appends the end.
func extend(before, word string, candidates []string, end string) string {
	var fitting []string
	for _, candidate := range candidates {
		if strings.HasPrefix(candidate, word) {
			fitting = append(fitting, candidate)
		}
	}
	if len(fitting) == 0 {
		return before + word
	}
	common := fitting[0]
	for _, candidate := range fitting[1:] {
		for !strings.HasPrefix(candidate, common) {
			common = common[:len(common)-1]
		}
	}
	if len(fitting) == 1 {
		common += end
	}
	return before + common
}
