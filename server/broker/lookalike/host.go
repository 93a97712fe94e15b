package lookalike

import (
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

// A HostProblem is a reason why a host may deceive a person.
type HostProblem struct {
	// MixesScripts says that a label has letters of more than one script.
	MixesScripts bool
	// LooksLike is an ASCII host that this host looks like, or empty.
	LooksLike string
}

// Host compares a host in lower-case IDNA ASCII with the hosts of known clients and with others.
// Nil means that no warning is needed.
func (t *Table) Host(host string, others ...string) *HostProblem {
	shown, err := idna.Punycode.ToUnicode(host)
	if err != nil {
		return &HostProblem{MixesScripts: true}
	}
	var problem HostProblem
	skeleton := t.hostSkeleton(shown)
	known := slices.Clone(others)
	for _, client := range t.clients {
		known = append(known, client.Hosts...)
	}
	if slices.Contains(known, host) {
		return nil
	}
	for _, original := range known {
		if imitates(skeleton, t.hostSkeleton(original)) {
			problem.LooksLike = original
		}
	}
	for _, label := range strings.Split(shown, ".") {
		problem.MixesScripts = problem.MixesScripts || mixesScripts(label)
	}
	if problem.LooksLike == "" && shown != host && t.readsAsASCII(shown) {
		problem.LooksLike = t.imitated(shown)
	}
	if problem == (HostProblem{}) {
		return nil
	}
	return &problem
}

// imitates reports whether a host looks like the original, or contains it before its own domain, as
// in claude.ai.login.example and claude.ai-login.example. A phone shows the beginning of a long
// address. Both arguments are skeletons.
func imitates(skeleton, original string) bool {
	dotted := "." + skeleton
	return skeleton == original ||
		strings.Contains(dotted, "."+original+".") ||
		strings.Contains(dotted, "."+original+"-")
}

// hostSkeleton returns the skeleton of a host, label by label.
func (t *Table) hostSkeleton(host string) string {
	var labels []string
	for _, label := range strings.Split(host, ".") {
		labels = append(labels, strings.Join(t.words(label, reading{}), "-"))
	}
	return strings.Join(labels, ".")
}

// readsAsASCII reports whether every letter of a host looks like an ASCII letter.
func (t *Table) readsAsASCII(host string) bool {
	return !strings.ContainsFunc(t.imitated(host), func(r rune) bool { return r >= utf8.RuneSelf })
}

// imitated replaces the letters of a host by the ASCII letters that they look like. It keeps the
// other letters.
func (t *Table) imitated(host string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r < utf8.RuneSelf:
			return r
		case t.letters[r] != 0:
			return t.letters[r]
		case isInvisible(r):
			return -1
		}
		return r
	}, norm.NFKC.String(host))
}
