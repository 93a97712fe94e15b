#!/usr/bin/env bash
# Messages of the action in the log of a job. The other scripts read this one.

# annotate LEVEL TEXT writes an annotation. GitHub decodes the three characters.
annotate() {
	local text=${2//'%'/%25}
	text=${text//$'\r'/%0D}
	text=${text//$'\n'/%0A}
	printf '::%s title=mcp-auth-conformance::%s\n' "$1" "$text"
}

# fail TEXT ends the step.
fail() {
	annotate error "$1"
	exit 2
}

# show_end FILE shows the last lines of a log. A line of the log cannot give the runner a command.
show_end() {
	local token
	token=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
	printf '::group::the last lines of %s\n::stop-commands::%s\n' "${1##*/}" "$token"
	tail -n 40 "$1" | cut -c 1-2000
	printf '\n::%s::\n::endgroup::\n' "$token"
}

# words TEXT sets the array of this name to the words of a text that is quoted as in a shell. No
# shell runs the text.
words() {
	words=()
	[ -n "${1//[[:space:]]/}" ] || return 0
	local split word
	split=$(mktemp "$RUNNER_TEMP/words.XXXXXX")
	if ! printf '%s\n' "$1" | xargs printf '%s\0' >"$split" 2>/dev/null; then
		rm -f "$split"
		fail "want words with matching quotes, got $1"
	fi
	while IFS= read -r -d '' word; do words+=("$word"); done <"$split"
	rm -f "$split"
}
