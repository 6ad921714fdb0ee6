#!/bin/bash
# SPDX-License-Identifier: MIT
#
# 5,000 connections that say nothing and 5,000 that send a byte a second.  From
# one host: refused beyond its share, or all let in where the limits are wide.
# Each from a host of its own: the oldest make room for newcomers, once they
# have had their time.
# All the while a good client joins in under a second, and the deadline for an
# address ends them all, however they trickle.
# Environment: HOSTILE_N (5000)

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/faults.sh
. "$(dirname "$0")/faults.sh"

# Slow builds could not connect them all within the deadline of the first.
N=${HOSTILE_N:-$((WAIT_SCALE > 1 ? 500 : 5000))}
good=good

# attack TITLE [--sources BASE N]: and joins beside it.
attack() {
	local title=$1 i worst=0
	shift
	start_hostile silent c1 silent $SERVER 2002 "$N" "$@"
	start_hostile trickle c1 trickle $SERVER 2002 "$N" "$@"
	for ((i = 0; i < 5; i++)); do
		# A client that is refused tries again.
		timed wait_for "a join" raw c2 'join dynamic; keepalive' \
			>/dev/null 2>&1
		((TOOK > worst)) && worst=$TOOK
	done
	threads=$(awk '/^Threads/ { print $2 }' "/proc/${PID[srv]}/status")
	srv_memory
	say "$title: joined and answered within $worst ms, beside" \
		"$((threads)) threads and $REPLY KiB of the server"
	((worst < 1000 * WAIT_SCALE)) || fail "$title: that is too slow"
	raw_do "$good" keepalive
}

# All are gone a little later than the deadline of the last one.
end_attack() {
	local name
	for name in silent trickle; do
		BOUND=20 wait_end $name
		value_of "${LOG[$name]}" left_open
		((REPLY == 0)) || fail "$title: $REPLY $name ones stay"
		value_of "${LOG[$name]}" held_seconds
		say "$name: the last was closed after $REPLY s"
		rm "$WORK/$name.in" "${LOG[$name]}"
	done
}

set_up 2
add_sources 1
start_srv
raw_start good c2
raw_join good 10.0.0.7
attack "one host"
end_attack
stop srv

start_srv --max-pending 30000 --max-pending-per-source 12000 --connect-rate 0
raw_start good2 c2
raw_join good2 10.0.0.7
good=good2
attack "one host, all let in"
((threads > N)) || fail "only $threads threads: they were not let in"
end_attack
stop good2
stop srv

# Each from an address of its own: no share to refuse, all places are taken.
start_srv
raw_start good3 c2
raw_join good3 10.0.0.7
good=good3
start_hostile others c1 silent $SERVER 2002 "$N" --sources 198.18.128.0 "$N"
attack "a host each" --sources 198.18.0.0 "$N"
kill "${PID[others]}"
wait_end others
rm "$WORK/others.in"
end_attack
