#!/usr/bin/env bash
# Stops the processes that this run of the action has started, the last one first.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/processes.sh"

for record in "$INPUT_FOLDER"/server.process "$INPUT_FOLDER"/fakeentra.process; do
	[ ! -f "$record" ] || halt "$record"
done
