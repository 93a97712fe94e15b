#!/usr/bin/env bash
# Processes that outlive a step. The other scripts read this one. FOLDER holds a log and a record
# of each.

pid=

# launch FOLDER NAME COMMAND... starts a process group, and sets pid to its ID.
launch() {
	local folder=$1 name=$2
	shift 2
	set -m # gives the process a group of its own
	"$@" >"$folder/$name.log" 2>&1 </dev/null &
	pid=$!
	set +m
	printf '%s %s\n' "$pid" "$(birth "$pid")" >"$folder/$name.process"
}

# birth PID is the time when a process began. It tells a process from a later one with its ID.
birth() { ps -o lstart= -p "$1" 2>/dev/null | awk '{ $1 = $1; print }' || true; }

# alive GROUP succeeds while a process of the group runs. One that only waits to be reaped does not.
alive() {
	local states
	if states=$(ps -A -o pgid=,stat= 2>/dev/null); then
		awk -v group="$1" '$1 == group && $2 !~ /^Z/ { found = 1 } END { exit !found }' <<<"$states"
	else
		kill -0 -- "-$1" 2>/dev/null
	fi
}

# halt RECORD ends the process group of a record: first politely, after ten seconds by force.
halt() {
	local group began now
	read -r group began <"$1"
	now=$(birth "$group")
	if [ -n "$now" ] && [ "$now" != "$began" ]; then
		return 0 # the group has ended, and another process has its ID
	fi
	alive "$group" || return 0
	kill -TERM -- "-$group" 2>/dev/null || return 0
	for _ in $(seq 100); do
		alive "$group" || return 0
		sleep 0.1
	done
	kill -KILL -- "-$group" 2>/dev/null || true
}
