#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A client that never reads, and is sent far more than fits anywhere, does not
# delay the others; what does not fit is counted.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

set_up 3
start_srv
start_cli 1 -a 10.0.0.11
start_cli 2 -a 10.0.0.12
wait_joined 1
wait_joined 2
wait_ping c1 10.0.0.12
raw_start stalled c3
raw_do stalled rcvbuf 4096
raw_join stalled 10.0.0.7
raw_start sender c3
raw_join sender 10.0.0.8
# 60 MB, more than the kernel and the hub may ever hold for it.
raw_do sender flood 10.0.0.7 40000 1500
raw_do sender keepalive
drop_count queue_full
full=$REPLY
drop_count queue_stale
((full + REPLY > 10000)) || fail "only $((full + REPLY)) drops are counted"
raw_tell sender flood 10.0.0.7 400000 1500
ns c1 ping -q -c 40 -i 0.02 -W 2 10.0.0.12 >"$WORK/ping" ||
	fail "ping: $(<"$WORK/ping")"
grep -q ' 0% packet loss' "$WORK/ping" || fail "ping: $(<"$WORK/ping")"
worst=$(awk -F/ '/^rtt/ { print int($6) }' "$WORK/ping")
((worst < 500 * WAIT_SCALE)) || fail "a ping took $worst ms"
# What the server holds for it is bounded: far less than was sent.
memory=$(awk '/^VmRSS/ { print $2 }' "/proc/${PID[srv]}/status")
((memory < 65536 * WAIT_SCALE * WAIT_SCALE)) || fail "srv has $memory KiB"
