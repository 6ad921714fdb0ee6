#!/bin/bash
# SPDX-License-Identifier: MIT
#
# An address of the network that no client holds: the sender is told so at
# once, from a client and from the gateway's own stack.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

set_up 1
start_srv
start_cli 1 -a 10.0.0.11
wait_joined 1
wait_ping c1 $HUB

# told FROM: ping and connect to an address that nobody holds end at once.
told() {
	ns "$1" ping -c 1 -W 10 10.0.99.99 >"$WORK/ping" 2>&1
	grep -q 'Destination Host Unreachable' "$WORK/ping" ||
		fail "ping from $1: $(<"$WORK/ping")"
	now_ms
	start=$REPLY
	ns "$1" timeout 10 socat -u OPEN:/dev/null TCP4:10.0.99.99:80 \
		2>"$WORK/connect" && fail "connected to nobody"
	now_ms
	((REPLY - start < 3000 * WAIT_SCALE)) ||
		fail "connect from $1 took $((REPLY - start)) ms"
	grep -q 'No route to host' "$WORK/connect" ||
		fail "connect from $1: $(<"$WORK/connect")"
}

told c1
raw_start base c1
raw_join base
raw_do base udp me 10.0.98.98 100
raw_do base expect-icmp 3 1
[[ $REPLY == "icmp 3 1 from $HUB" ]] || fail "$REPLY"
wait_dropped no_such_client 3
told s
# Many such packets are not answered one for one.
raw_do base flood 10.0.98.98 3000 60
raw_tell base hold
wait_dropped no_such_client 3000
