#!/bin/bash
# SPDX-License-Identifier: MIT
#
# SIGTERM and SIGINT end both programs with status 0, and neither leaves an
# interface, a route or a process behind.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

left_over() {
	ip -n "$PREFIX-$1" -o link show | grep -v -e ' lo:' -e ' eth0' -e ' br0' \
		-e ' v[0-9]'
	ip -n "$PREFIX-$1" route show table all | grep -e tun -e '10\.0\.'
	ip netns pids "$PREFIX-$1"
}

set_up 2
for signal in TERM INT; do
	start_srv
	start_cli 1
	start_cli 2
	wait_joined 1
	wait_joined 2
	wait_ping c1 $HUB
	stop cli1 $signal
	((STATUS == 0)) || fail "cli ended with $STATUS on SIG$signal"
	stop srv $signal
	((STATUS == 0)) || fail "srv ended with $STATUS on SIG$signal"
	wait_for "cli to notice" log_has cli2 'closed|next try|lost'
	stop cli2 $signal
	((STATUS == 0)) || fail "cli ended with $STATUS while it was trying"
	for where in s c1 c2; do
		[[ -z $(left_over $where) ]] ||
			fail "left in $where: $(left_over $where)"
	done
done
# A client that has never been answered ends as well.
start_cli 1
wait_for "cli to try" log_has cli1 'next try|refused'
stop cli1
((STATUS == 0)) || fail "cli ended with $STATUS before it was connected"
