#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Each function that can run out of something fails in its Kth call in cli, for
# every K on its way to an address.  Either it says why and ends, or it gets
# there in another attempt; and it leaves nothing behind.
# Environment: FAULT_CALLS, the functions; FAULT_BOUND, the largest K (60).

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/faults.sh
. "$(dirname "$0")/faults.sh"

CALLS=${FAULT_CALLS:-malloc calloc realloc aligned_alloc mmap pthread_create
	eventfd socket bind setsockopt open ioctl}
BOUND_K=${FAULT_BOUND:-60}

works_or_ended() {
	ended "${PID[cli1]}" || can_ping c1 $HUB 2>/dev/null
}

run_with_fault() {
	rm -f "$WORK/fault"
	set_shim "FAULT_CALL=$call" "FAULT_AT=$k" "FAULT_LOG=$WORK/fault"
	: >"$WORK/cli1.log"
	start cli1 c1 "${SHIMMED[@]}" "$CLI" -s $SERVER -a 10.0.0.11 \
		--control "$WORK/cli.sock" </dev/null
	wait_for "$call $k: cli to work or end" works_or_ended
	if ended "${PID[cli1]}"; then
		wait_end cli1
		((STATUS == 1 || STATUS == 4)) ||
			fail "$call $k: cli ended with status $STATUS"
		log_has cli1 'cli: error: ' ||
			fail "$call $k: cli ended without saying why"
	else
		stop cli1
		((STATUS == 0)) || fail "$call $k: cli ended with $STATUS"
	fi
	[[ -z $(complaints) ]] || fail "$call $k: a sanitizer complains"
	ip -n "$PREFIX-c1" link show dev tun0 >/dev/null 2>&1 &&
		fail "$call $k: cli left its interface behind"
	return 0
}

set_up 1
start_srv
for call in $CALLS; do
	for ((k = 1; k <= BOUND_K; k++)); do
		run_with_fault
		grep -q failed "$WORK/fault" || break
	done
	say "$call: calls 1 to $((k - 1)) failed, one at a time"
done
