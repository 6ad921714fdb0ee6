#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The server runs out of descriptors under 200 joins at once: those that it
# has are served, it does not spin, and it recovers when they are gone.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# Clock ticks that the server has used so far, in REPLY.
ticks() {
	local -a stat
	read -r -a stat <"/proc/${PID[srv]}/stat"
	REPLY=$((stat[13] + stat[14]))
}

descriptors_free() {
	(($(find "/proc/${PID[srv]}/fd" -type l | wc -l) < 40))
}

joined_at_least() {
	raw_do crowd count-crowd
	[[ $REPLY =~ ^joined\ ([0-9]+) ]] && ((BASH_REMATCH[1] >= $1))
}

set_up 2
SRV_WRAP=(prlimit --nofile=64)
start_srv
start_cli 1 -a 10.0.0.11
wait_joined 1
raw_start base c1
raw_join base 10.0.0.7
raw_start crowd c2
raw_do crowd crowd 200
wait_for "some of the crowd to join" joined_at_least 20
# Its accept loop is at the limit now; a second of it must cost next to nothing.
ticks
before=$REPLY
raw_do base expect-nothing 1000
ticks
((REPLY - before <= 30 * WAIT_SCALE)) ||
	fail "srv used $((REPLY - before)) ticks in one second at the limit"
raw_do base keepalive
wait_ping c1 $HUB
raw_do crowd disperse
wait_for "the descriptors to be free" descriptors_free
raw_start late c2
raw_join late
raw_do base keepalive
