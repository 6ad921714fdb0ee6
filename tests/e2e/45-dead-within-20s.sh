#!/bin/bash
# SPDX-License-Identifier: MIT
#
# With the settings as they come, a client that has vanished with data on its
# way is gone within 20 seconds: whether that data fits into the kernel, or
# stands in the server's queue, or the client lives but its window is shut.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/faults.sh
. "$(dirname "$0")/faults.sh"

set_up 4
start_srv
for i in 1 2 3; do
	raw_start "dead$i" c$i
	((i < 3)) || raw_do dead3 rcvbuf 2048
	raw_join "dead$i" 10.0.0.1$i
	raw_do "dead$i" keepalive
done
raw_start sender c4
raw_join sender
ip -n "$PREFIX-c1" link set eth0 down
cut_off 2
now_ms
start=$REPLY
raw_do sender udp me 10.0.0.11 100
raw_do sender flood 10.0.0.12 2000 1500
raw_do sender flood 10.0.0.13 2000 1500
for i in 1 2 3; do
	BOUND=25 wait_for "10.0.0.1$i to be closed" left 10.0.0.1$i
	now_ms
	say "10.0.0.1$i gone after $((REPLY - start)) ms at most"
	((REPLY - start < 20000 * WAIT_SCALE)) || fail "that is too late"
done
raw_do sender keepalive
