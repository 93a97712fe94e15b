package main

import (
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mcpentra/conformance/check"
)

// notRepeated are the flags that select checks or handle the report. A repetition names its check.
var notRepeated = []string{
	"only", "except", "level", "severity", "role", "baseline", "write-baseline", "disruptive", "parallel",
	"report", "color",
}

// repetition returns the command line that tries one result again.
func repetition(command *cobra.Command, given []string, result check.Result) string {
	words := strings.Fields(command.CommandPath())
	isClient := strings.HasPrefix(result.Rule.ID, "client/")
	if !isClient {
		words = append(words, withoutValues(given)...)
	}
	command.Flags().Visit(func(flag *pflag.Flag) {
		if flag.Name == "revision" && result.Rule.EachRevision || slices.Contains(notRepeated, flag.Name) {
			return
		}
		words = append(words, flagWords(flag)...)
	})
	words = append(words, "--only", result.Rule.ID)
	if result.Rule.EachRevision && result.Revision != "" {
		words = append(words, "--revision", string(result.Revision))
	}
	if result.Rule.Disruptive {
		words = append(words, "--disruptive")
	}
	if isClient {
		words = append(append(words, "--"), given...)
	}
	return quoteWords(words)
}

// withoutValues returns addresses without the values of their queries, which may be keys.
func withoutValues(addresses []string) []string {
	shown := slices.Clone(addresses)
	for i, address := range shown {
		shown[i] = withoutValue(address)
	}
	return shown
}

// withoutValue returns an address without the values of its query.
func withoutValue(address string) string {
	before, query, found := strings.Cut(address, "?")
	if !found {
		return address
	}
	query, fragment, hasFragment := strings.Cut(query, "#")
	parameters := strings.Split(query, "&")
	for i, parameter := range parameters {
		name, _, hasValue := strings.Cut(parameter, "=")
		switch {
		case hasValue:
			parameters[i] = name + "=…"
		case parameter != "":
			parameters[i] = "…" // the whole query may be a key
		}
	}
	shown := before + "?" + strings.Join(parameters, "&")
	if hasFragment {
		shown += "#" + fragment
	}
	return shown
}

// invocation returns the command line of a run, without secrets.
func invocation(command *cobra.Command, given []string) string {
	words := strings.Fields(command.CommandPath())
	isClient := command.Name() == "client"
	if !isClient {
		words = append(words, withoutValues(given)...)
	}
	command.Flags().Visit(func(flag *pflag.Flag) { words = append(words, flagWords(flag)...) })
	if isClient {
		words = append(append(words, "--"), given...)
	}
	return quoteWords(words)
}

// flagWords returns the words that set a flag.
func flagWords(flag *pflag.Flag) []string {
	if flag.Value.Type() == "bool" {
		return []string{"--" + flag.Name + "=" + flag.Value.String()}
	}
	values := []string{flag.Value.String()}
	if slice, ok := flag.Value.(pflag.SliceValue); ok {
		values = slice.GetSlice()
	}
	var words []string
	for _, value := range values {
		if flag.Name == "field" && !strings.Contains(value, "=@") {
			value, _, _ = strings.Cut(value, "=")
			value += "=…" // it may be a password
		}
		words = append(words, "--"+flag.Name, value)
	}
	return words
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./:@%+=,-]+$`)

// quoteWords returns words as a line for a POSIX shell.
func quoteWords(words []string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = quoteWord(word)
	}
	return strings.Join(quoted, " ")
}

// quoteWord quotes a word for a POSIX shell, if it needs quotes.
func quoteWord(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
