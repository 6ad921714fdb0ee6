#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A base client never gets a packet above 1500 bytes, whatever the server's
# MTU: senders behind a larger one are told, on this side of the gateway and
# beyond it.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

set_up 2
add_lan
ip -n "$PREFIX-s" link set lan0 mtu 9000
ip -n "$PREFIX-lan" link set eth0 mtu 9000
start_srv --mtu 9000
start_cli 1 -a 10.0.0.11
wait_joined 1
ip -n "$PREFIX-c1" link show dev tun0 | grep -q "mtu 9000" ||
	fail "cli did not take the server's MTU"
wait_ping c1 $HUB
ns c1 ping -q -c 3 -i 0.01 -s 8900 -M 'do' $HUB | grep -q ' 0% packet loss' ||
	fail "packets of 8928 bytes do not get through"
raw_start base c2
raw_join base 10.0.0.7
raw_tell base answer

# told FROM: a packet too big is answered, and smaller ones get through.
told() {
	ns "$1" ping -c 1 -W 5 -s 2000 -M 'do' 10.0.0.7 >"$WORK/ping" 2>&1
	grep -qE 'Frag needed.*mtu = 1500' "$WORK/ping" ||
		fail "$1 is not told: $(<"$WORK/ping")"
	ns "$1" ping -q -c 3 -i 0.01 -s 1472 -M 'do' 10.0.0.7 |
		grep -q ' 0% packet loss' || fail "1500 bytes do not get through"
}

told c1
told lan
told s
