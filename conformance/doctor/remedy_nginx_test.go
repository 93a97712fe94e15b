package doctor_test

import (
	"slices"
	"strings"

	"mcpentra/conformance/doctor"
)

// A location is a block of an nginx site.
type location struct {
	head  string // such as "location / {"
	lines []string
}

// readLocations reads a site, which has locations only. It leaves comments out.
func readLocations(site string) []location {
	var all []location
	for line := range strings.Lines(site) {
		line, _, _ = strings.Cut(line, "#")
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line == "}":
		case strings.HasPrefix(line, "location "):
			all = append(all, location{head: line})
		default:
			last := &all[len(all)-1]
			last.lines = append(last.lines, line)
		}
	}
	return all
}

func writeLocations(all []location) string {
	var site strings.Builder
	for _, one := range all {
		site.WriteString(one.head + "\n\t" + strings.Join(one.lines, "\n\t") + "\n}\n")
	}
	return site.String()
}

// set writes a directive, in place of one of the same name.
func (l *location) set(line string) {
	at := slices.IndexFunc(l.lines, func(old string) bool { return directive(old) == directive(line) })
	if at < 0 {
		l.lines = append(l.lines, line)
		return
	}
	l.lines[at] = line
}

// directive returns the name of a directive, with the name of the header that it is about.
func directive(line string) string {
	words := strings.Fields(strings.TrimRight(line, "; "))
	if len(words) > 1 && strings.HasSuffix(words[0], "_header") {
		return words[0] + " " + strings.ToLower(words[1])
	}
	return words[0]
}

// passes reports whether a location passes requests on.
func (l location) passes() bool {
	return slices.ContainsFunc(l.lines, func(line string) bool { return directive(line) == "proxy_pass" })
}

// nginxLines writes the lines of a fix into the location that passes requests on, and removes the
// directives that its comments name. A whole location goes beside it, or replaces the one of the
// same path.
func nginxLines() remedy {
	return remedy{doctor.ProxyLine, "nginx", func(w *world, fix doctor.Fix) {
		site := readLocations(w.site)
		for line := range strings.Lines(fix.Text) {
			if _, named, found := strings.Cut(line, "# remove "); found {
				site = withoutDirectives(site, strings.ToLower(named))
			}
		}
		w.site = writeLocations(withLines(site, strings.ReplaceAll(fix.Text, "localhost:8000", "UPSTREAM")))
	}}
}

// withoutDirectives removes the directives and locations that a sentence names.
func withoutDirectives(site []location, sentence string) []location {
	isNamed := func(line string) bool { return strings.Contains(sentence, directive(line)) }
	for i := range site {
		site[i].lines = slices.DeleteFunc(site[i].lines, isNamed)
	}
	return slices.DeleteFunc(site, func(one location) bool {
		return strings.Contains(sentence, strings.TrimRight(one.head, " {"))
	})
}

// withLines adds the lines of a fix.
func withLines(site []location, text string) []location {
	passes := slices.IndexFunc(site, location.passes)
	if !strings.HasPrefix(text, "location ") {
		text = site[passes].head + "\n" + text
	}
	for _, fixed := range readLocations(text) {
		at := slices.IndexFunc(site, func(one location) bool { return one.head == fixed.head })
		if at < 0 && fixed.head == "location / {" {
			at = passes
			site[at].head = fixed.head
		}
		switch {
		case at < 0:
			site = append(site, fixed)
		case !site[at].passes():
			site[at] = fixed
		default:
			for _, line := range fixed.lines {
				site[at].set(line)
			}
		}
	}
	return site
}
