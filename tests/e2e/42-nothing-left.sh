#!/bin/bash
# SPDX-License-Identifier: MIT
#
# From some moment on there are no threads, no descriptors, no memory for new
# clients: these are refused, the one that is there goes on, the server neither
# spins nor ends.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/faults.sh
. "$(dirname "$0")/faults.sh"

# A life with one client; with FAULT_AT=K, all calls from the Kth on fail.
begin() {
	rm -f "$WORK/fault"
	set_shim "FAULT_CALL=$call" "FAULT_LOG=$WORK/fault" "$@"
	: >"$WORK/srv.log"
	SRV_WRAP=("${SHIMMED[@]}")
	start_srv
	wait_for "srv to serve" log_has srv ' port 2002'
	raw_start good c1
	raw_join good 10.0.0.7
}

finish_life() {
	raw_end good
	stop srv
	((STATUS == 0)) || fail "$call: srv ended with status $STATUS"
}

set_up 1
for call in pthread_create accept4 calloc mmap; do
	begin
	finish_life
	calls=$(awk '$3 == "calls" { print $2 }' "$WORK/fault")
	# At its end the last accept4 has found nobody.
	[[ $call == accept4 ]] && calls=2
	begin "FAULT_AT=$((calls + 1))" FAULT_FOLLOW=1000000000000
	raw_start crowd c1
	raw_do crowd crowd 20
	srv_ticks
	before=$REPLY
	raw_do good expect-nothing 1000
	srv_ticks
	((REPLY - before <= 30 * WAIT_SCALE)) ||
		fail "$call: $((REPLY - before)) ticks in a second"
	say "$call: $((REPLY - before)) ticks of processor time in a second"
	raw_do crowd count-crowd
	[[ $REPLY == joined\ 0* ]] || fail "$call: the crowd has $REPLY"
	grep -q failed "$WORK/fault" || fail "$call did not fail"
	raw_do good keepalive
	raw_do good udp me me 100
	raw_do good expect-udp me me 100
	raw_end crowd
	finish_life
done
