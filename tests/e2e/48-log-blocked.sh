#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Nobody reads what the server logs, or the disk is full: data goes on, and the
# server ends within seconds when it is asked to.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/faults.sh
. "$(dirname "$0")/faults.sh"

# The server's stderr goes to a file of our choice.
log_to() {
	# shellcheck disable=SC2016 # the inner shell expands it
	SRV_WRAP=(sh -c 'log=$1; shift; exec "$@" 2>"$log"' sh "$1")
}

live() { # TITLE
	start_srv -v
	start_cli 2 -a 10.0.0.12
	# Far more lines than a pipe and the log's own buffer hold.
	ns c1 "$HOSTILE" garbage $SERVER 2002 3000 --sources 198.18.0.0 \
		3000 >/dev/null || fail "$1: garbage"
	kill -USR1 "${PID[srv]}"
	wait_joined 2 10.0.0.12
	wait_ping c2 $HUB
	hashed_hub c1 --clients 3 --flows 2 --bytes 30M --seconds 30
	stop cli2
	timed stop srv
	say "$1: ended in $TOOK ms with status $STATUS"
	((STATUS == 0)) || fail "$1: srv ended with status $STATUS"
	((TOOK < 6000 * WAIT_SCALE)) || fail "$1: srv took too long to end"
}

set_up 2
add_sources 1
mkfifo "$WORK/pipe"
exec {never}<>"$WORK/pipe"
log_to "$WORK/pipe"
live "blocked pipe"
# It was blocked indeed: the pipe takes no more, and holds what was logged.
timeout 1 dd if=/dev/zero bs=4096 count=1 of="$WORK/pipe" 2>/dev/null &&
	fail "the pipe was not full"
head -c 200 <&"$never" | grep -q '^srv: ' || fail "nothing was logged"
log_to /dev/full
live "full disk"
