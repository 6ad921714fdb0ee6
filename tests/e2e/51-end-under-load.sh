#!/bin/bash
# SPDX-License-Identifier: MIT
#
# SIGTERM while others send as fast as they can: a client that had not yet read
# what was queued for it gets every packet of that, one that never reads holds
# the end up no longer than --flush-timeout, and the status is 0.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/faults.sh
. "$(dirname "$0")/faults.sh"

N=260	# packets of 1,000 bytes: more than the kernel takes for it

start_load() {
	: >"${LOG[srv]}"
	start load c2 "$HASHED" hub $SERVER 2002 --clients 4 --flows 3 \
		--bytes 1000G --seconds 60 </dev/null
	wait_for "the load" loaded
}

# Something has passed.  (The server appends to its log.)
loaded() {
	print_counters
	(($(sed -nE 's/.*total: rx_packets=([0-9]+).*/\1/p' "${LOG[srv]}" |
		tail -n 1) > 20000))
}

end_load() {
	wait_end load
	cp "${LOG[load]}" "$WORK/hashed"
	say_hashed
	for key in corrupt duplicate reordered; do
		value_of "$WORK/hashed" $key
		((REPLY == 0)) || fail "$REPLY packets are $key"
	done
	value_of "$WORK/hashed" received
	((REPLY > 10000)) || fail "there was no load"
	rm "${LOG[load]}"
}

# Queue packets for a client that does not read yet.
queue_up() { # NAME RCVBUF
	raw_start "$1" c1
	raw_do "$1" rcvbuf "$2"
	raw_join "$1" 10.0.0.7
	raw_do "$1" keepalive
	raw_start "$1-sender" c1
	raw_join "$1-sender" 10.0.0.8
	raw_do "$1-sender" flood 10.0.0.7 $N 1000
	raw_do "$1-sender" keepalive
	print_counters
	print_counters
	queued=$(sed -n 's/.*queue_bytes=//p' "${LOG[srv]}" | tail -n 1)
	say "$1: $queued bytes are queued in the server"
	((queued > 50000)) || fail "that is nothing to be flushed"
}

set_up 2
start_srv --flush-timeout 10
queue_up reader 16384
start_load
kill -TERM "${PID[srv]}"
# On a slow machine the queue may have stood for long enough to lose a packet
# to CoDel before the end; without the flush it would be nearly all.
for ((i = 0; i < N; i++)); do
	raw_try reader expect-udp 10.0.0.8 me 1000 || break
done
((i >= N - 5)) || fail "only $i of $N packets came: $REPLY"
((i < N)) || raw_do reader expect-eof
timed wait_end srv
((STATUS == 0)) || fail "srv ended with status $STATUS"
((TOOK < 2000 * WAIT_SCALE)) || fail "srv ended $TOOK ms after the last byte"
say "reader: $i of $N packets came"
end_load

start_srv
queue_up never 2048
start_load
timed stop srv
((STATUS == 0)) || fail "srv ended with status $STATUS"
say "never: srv ended in $TOOK ms"
((TOOK > 2500)) || fail "it did not wait for the client to read"
((TOOK < 5000 * WAIT_SCALE)) || fail "srv took too long to end"
end_load
