#!/usr/bin/env bash
# Starts fakeentra, or takes the one that runs at a URL.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/messages.sh"
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/processes.sh"

if [ "$INPUT_FAKEENTRA" != true ]; then
	printf 'admin-url=%s\n' "$INPUT_FAKEENTRA" >>"$GITHUB_OUTPUT"
	exit 0
fi
cd "$INPUT_WORKING_DIRECTORY"
launch "$INPUT_FOLDER" fakeentra fakeentra --addr "$INPUT_FAKEENTRA_ADDR" \
	--admin-addr "$INPUT_FAKEENTRA_ADMIN_ADDR" --write-env "$INPUT_FAKEENTRA_ENV"
log=$INPUT_FOLDER/fakeentra.log
written= # the fake says this last
for _ in $(seq 300); do
	written=$(sed -n 's/^fakeentra: wrote //p' "$log")
	if [ -n "$written" ] || ! kill -0 "$pid" 2>/dev/null; then break; fi
	sleep 0.1
done
if [ -z "$written" ]; then
	show_end "$log"
	fail 'fakeentra does not start; see its last lines above'
fi
sed -n 's/^fakeentra: listening on /fakeentra is at /p' "$log"
{
	sed -n 's/^fakeentra: admin API on /admin-url=/p' "$log"
	printf 'env=%s\n' "$(cd "$(dirname "$INPUT_FAKEENTRA_ENV")" && pwd)/$(basename "$INPUT_FAKEENTRA_ENV")"
} >>"$GITHUB_OUTPUT"
