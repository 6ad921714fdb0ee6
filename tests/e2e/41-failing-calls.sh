#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Each function that can run out of something fails in its Kth call, for every
# K that a short life of the server has.  Either the server says why and ends,
# or it serves on with at most one client refused; and ends well.
# Environment: FAULT_CALLS, the functions; FAULT_BOUND, the largest K (60).

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/faults.sh
. "$(dirname "$0")/faults.sh"

CALLS=${FAULT_CALLS:-malloc calloc aligned_alloc mmap pthread_create accept4
	epoll_create1 epoll_ctl eventfd socket bind listen setsockopt open ioctl
	madvise}
BOUND_K=${FAULT_BOUND:-60}

# The server under a fault has ended before it served: with a message.
ended_with_reason() {
	wait_end srv
	((STATUS == 1)) || fail "$call $k: srv ended with status $STATUS"
	grep -q 'srv: error: ' "${LOG[srv]}" ||
		fail "$call $k: srv ended without saying why"
}

# Join, if need be in a second attempt.
join() { # NAME ADDRESS
	raw_try "$1" join "$2" && return
	((refused++))
	raw_do "$1" close
	raw_try "$1" join "$2" || fail "$call $k: $2 does not get in: $REPLY"
}

# Without memory the echo is left out; the client asks again a second later.
keep_alive() { # NAME
	raw_try "$1" keepalive 1000 && return
	((refused++))
	raw_do "$1" keepalive
}

# A short life: clients that join, one that does not read what it is sent.
live() {
	local refused=0 name
	raw_start stalled c1
	raw_do stalled rcvbuf 2048
	raw_start other c1
	join stalled 10.0.0.7
	join other dynamic
	keep_alive stalled
	{ raw_try other flood 10.0.0.7 800 1500 && raw_try other keepalive; } ||
		((refused++))
	raw_start good c1
	join good 10.0.0.9
	keep_alive good
	raw_do good udp me me 100
	raw_do good expect-udp me me 100
	((refused <= 1)) || fail "$call $k: $refused clients were refused"
	for name in stalled other good; do
		raw_end $name
	done
}

# It listens before its threads are started, and logs when they are.
serves_or_ended() { log_has srv ' port 2002' || ended "${PID[srv]}"; }

run_with_fault() {
	rm -f "$WORK/fault"
	set_shim "FAULT_CALL=$call" "FAULT_AT=$k" "FAULT_LOG=$WORK/fault"
	: >"$WORK/srv.log"
	start srv s "${SHIMMED[@]}" "$SRV" -v \
		--control "$WORK/srv.sock" </dev/null
	wait_for "$call $k: srv to serve or end" serves_or_ended
	if ended "${PID[srv]}"; then
		ended_with_reason
		return
	fi
	live
	stop srv
	# The fault may have hit on the way out.
	((STATUS == 0)) || fail "$call $k: srv ended with status $STATUS"
	[[ -z $(complaints) ]] || fail "$call $k: a sanitizer complains"
}

set_up 1
for call in $CALLS; do
	for ((k = 1; k <= BOUND_K; k++)); do
		run_with_fault
		grep -q failed "$WORK/fault" || break
	done
	say "$call: calls 1 to $((k - 1)) failed, one at a time"
done
