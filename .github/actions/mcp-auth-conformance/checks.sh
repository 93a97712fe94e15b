#!/usr/bin/env bash
# Runs the checks, and writes the reports, the annotations and the summary.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/messages.sh"

options=(
	--report "json=$INPUT_REPORT/report.json"
	--report "junit=$INPUT_REPORT/junit.xml"
	--report "sarif=$INPUT_REPORT/report.sarif"
	--report "html=$INPUT_REPORT/report.html"
	--report "github=$INPUT_REPORT/summary.md" # and annotations in the log
)
if [ -n "$INPUT_FAKEENTRA_ADMIN_URL" ]; then options+=(--fakeentra "$INPUT_FAKEENTRA_ADMIN_URL"); fi
if [ "$INPUT_WRITE_BASELINE" = true ]; then
	options+=(--write-baseline "$INPUT_BASELINE")
elif [ -n "$INPUT_BASELINE" ]; then
	options+=(--baseline "$INPUT_BASELINE")
fi
words "$INPUT_ARGUMENTS"
options+=(${words[@]+"${words[@]}"})
if [ -n "$INPUT_SERVER_URL" ]; then
	command=(mcp-auth-conformance server "$INPUT_SERVER_URL" "${options[@]}")
else
	words "$INPUT_CLIENT_COMMAND"
	command=(mcp-auth-conformance client "${options[@]}" -- "${words[@]}")
fi
export -n "${!INPUT_@}" # the client does not see the inputs
cd "$INPUT_WORKING_DIRECTORY"
status=0
"${command[@]}" || status=$?
printf 'status=%s\n' "$status" >>"$GITHUB_OUTPUT"
if [ -f "$INPUT_REPORT/summary.md" ]; then # GitHub takes at most 1 MiB
	head -c 1000000 "$INPUT_REPORT/summary.md" >>"$GITHUB_STEP_SUMMARY"
fi
if [ "$INPUT_WRITE_BASELINE" = true ] && [ -f "$INPUT_BASELINE" ]; then
	cp "$INPUT_BASELINE" "$INPUT_REPORT/baseline.txt"
fi
if [ "$status" -gt 1 ]; then
	annotate error "mcp-auth-conformance ended with status $status; its last lines say why"
fi
exit "$status"
