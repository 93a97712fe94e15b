package server

import (
	"fmt"
	"regexp"
	"strings"

	"mcpentra/server/broker"
)

// ownPaths returns the paths that the server itself uses, in either mode.
func ownPaths() []string {
	return append(broker.Paths(), CallerKeysPath, "/healthz", "/readyz", wellKnown)
}

var plainPath = regexp.MustCompile(`^(/[A-Za-z0-9._~-]+)+$`)

// readPath reads the path of the endpoint. A slash at its end does not count. The root is "": the
// endpoint's URL is then the public URL without a slash (MCP, Canonical Server URI).
func readPath(text string) (string, error) {
	wrong := func(problem string) (string, error) {
		return "", &ConfigError{"Path", fmt.Sprintf("is %q: %s", text, problem)}
	}
	if text == "" {
		return "/mcp", nil
	}
	path := strings.TrimSuffix(text, "/")
	if path == "" {
		return "", nil
	}
	if !plainPath.MatchString(path) {
		return wrong("write a path such as /mcp, of letters, digits and any of - . _ ~ between slashes")
	}
	for segment := range strings.SplitSeq(path[1:], "/") {
		if strings.Trim(segment, ".") == "" {
			return wrong("write no segment that consists of dots, because clients remove it")
		}
	}
	for _, own := range ownPaths() {
		below := own == wellKnown && strings.HasPrefix(strings.ToLower(path), own+"/")
		if strings.EqualFold(path, own) || below {
			return wrong("the server itself uses " + own + "; write another path, such as /mcp")
		}
	}
	return path, nil
}
