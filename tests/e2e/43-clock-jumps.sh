#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The time of day jumps by up to a day each time that it is read, and the
# clocks that count from boot stand near zero or far ahead: nobody is reaped,
# nobody stays who is silent.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/faults.sh
. "$(dirname "$0")/faults.sh"

# Several idle timeouts of two seconds with keepalives, then none.
live() {
	local title=$1 n
	: >"$WORK/srv.log"
	start_srv --idle-timeout 2
	for n in 1 2; do
		start "cli$n" "c$n" "${SHIMMED[@]}" "${CLIENT_WRAP[@]}" "$CLI" \
			-s $SERVER -a "10.0.0.1$n" </dev/null
		wait_joined "$n" "10.0.0.1$n"
	done
	wait_ping c1 10.0.0.12
	raw c1 'join 10.0.0.7; expect-eof 4000' >/dev/null ||
		fail "$title: a silent client stays"
	sleep 3	# time itself is what is tested
	for n in 1 2; do
		log_has srv "10\.0\.0\.1$n left" &&
			fail "$title: client $n was reaped"
	done
	wait_ping c1 10.0.0.12
	for n in cli1 cli2 srv; do
		stop $n
		((STATUS == 0)) || fail "$title: $n ended with $STATUS"
	done
	say "$title: good"
}

set_up 2
CLIENT_WRAP=()
set_shim FAULT_CLOCK=1
[[ $(LD_PRELOAD=$SHIM FAULT_CLOCK=1 date +%F%T) != $(date +%F%T) ]] ||
	fail "the shim does not change the time of day"
SRV_WRAP=("${SHIMMED[@]}")
live "time of day"
SHIMMED=()
unshare -T true 2>/dev/null || skip "the kernel has no time namespaces"
read -r uptime _ </proc/uptime
for offset in 3000000000 $((1 - ${uptime%.*})); do
	SRV_WRAP=(unshare -T --monotonic "$offset" --boottime "$offset")
	CLIENT_WRAP=("${SRV_WRAP[@]}")
	live "time since boot, off by $offset s"
done
