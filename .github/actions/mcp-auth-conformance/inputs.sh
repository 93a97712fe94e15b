#!/usr/bin/env bash
# Refuses inputs that do not fit together, and makes the folders of this run.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/messages.sh"

if [ -n "$INPUT_SERVER_URL" ] && [ -n "$INPUT_CLIENT_COMMAND" ]; then
	fail 'want server-url or client-command, got both; use the action twice'
elif [ -z "$INPUT_SERVER_URL" ] && [ -n "$INPUT_SERVER_COMMAND" ]; then
	fail 'server-command also needs server-url, the URL where the server answers'
elif [ -z "$INPUT_SERVER_URL" ] && [ -z "$INPUT_CLIENT_COMMAND" ]; then
	fail 'want server-url or client-command, got neither'
fi
case $INPUT_SERVER_URL in
'' | http://?* | https://?*) ;;
*) fail "server-url: want an http or https URL, got $INPUT_SERVER_URL" ;;
esac
if ! [[ $INPUT_SERVER_WAIT =~ ^[1-9][0-9]{0,3}$ ]]; then
	fail "server-wait: want 1 to 9999 seconds, got $INPUT_SERVER_WAIT"
fi
case $INPUT_FAKEENTRA in
false) ;;
true | http://?*)
	[ -n "$INPUT_SERVER_URL" ] || fail 'fakeentra is for a server; the checks of a client start their own'
	;;
*) fail "fakeentra: want true, false or the URL of an admin API, got $INPUT_FAKEENTRA" ;;
esac
case $INPUT_WRITE_BASELINE in
false) ;;
true) [ -n "$INPUT_BASELINE" ] || fail 'write-baseline needs the name of the file; give baseline too' ;;
*) fail "write-baseline: want true or false, got $INPUT_WRITE_BASELINE" ;;
esac
[ -d "$INPUT_WORKING_DIRECTORY" ] || fail "working-directory: there is no folder $INPUT_WORKING_DIRECTORY"
baseline=$(cd "$INPUT_WORKING_DIRECTORY" && if [ -e "$INPUT_BASELINE" ]; then echo present; fi)
if [ -n "$INPUT_BASELINE" ] && [ "$INPUT_WRITE_BASELINE" = false ] && [ -z "$baseline" ]; then
	fail "baseline: there is no file $INPUT_BASELINE; run once with write-baseline: true, and commit the file"
fi
case $INPUT_PROGRAMS in
http://*) fail 'programs: want an https URL, got http' ;;
https://*) [ -n "$INPUT_PROGRAMS_SHA256" ] || fail 'programs: an archive from a URL needs programs-sha256' ;;
esac
if [ -n "$INPUT_PROGRAMS_SHA256" ] && ! [[ $INPUT_PROGRAMS_SHA256 =~ ^[0-9a-fA-F]{64}$ ]]; then
	fail "programs-sha256: want 64 hexadecimal digits, got $INPUT_PROGRAMS_SHA256"
fi

folder=$(mktemp -d "$RUNNER_TEMP/mcp-auth-conformance.XXXXXX")
mkdir "$folder/report"
printf 'folder=%s\nreport=%s\n' "$folder" "$folder/report" >>"$GITHUB_OUTPUT"
