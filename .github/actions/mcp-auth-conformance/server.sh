#!/usr/bin/env bash
# Starts the server under test, and waits until it answers.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/messages.sh"
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/processes.sh"

# answers succeeds if the server sends a status. A stream may keep the answer open.
answers() {
	local status
	status=$(curl -sk --globoff --noproxy '*' --connect-timeout 2 --max-time 3 \
		--output /dev/null --write-out '%{http_code}' --url "$INPUT_SERVER_URL") || true
	[ "${status:-000}" != 000 ]
}

if answers; then
	fail "another program already answers at $INPUT_SERVER_URL, before server-command starts"
fi
cd "$INPUT_WORKING_DIRECTORY"
if [ -n "$INPUT_FAKEENTRA_ENV" ]; then
	set -a
	# shellcheck disable=SC1090
	. "$INPUT_FAKEENTRA_ENV"
	set +a
fi
export -n "${!INPUT_@}" # the server does not see the inputs
launch "$INPUT_FOLDER" server bash --noprofile --norc -eo pipefail -c "$INPUT_SERVER_COMMAND"
log=$INPUT_FOLDER/server.log
late=$((SECONDS + INPUT_SERVER_WAIT))
until answers; do
	if ! alive "$pid"; then
		status=0
		wait "$pid" || status=$?
		show_end "$log"
		fail "server-command ended with status $status before $INPUT_SERVER_URL answered; see its last lines above"
	elif [ "$SECONDS" -ge "$late" ]; then
		show_end "$log"
		fail "$INPUT_SERVER_URL does not answer after $INPUT_SERVER_WAIT seconds; see the last lines of server-command above"
	fi
	sleep 0.2
done
echo "the server answers at $INPUT_SERVER_URL"
