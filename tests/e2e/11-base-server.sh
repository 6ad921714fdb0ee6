#!/bin/bash
# SPDX-License-Identifier: MIT
#
# cli against a server that knows only the base protocol: two clients join and
# reach each other, a taken address is told from a network error, and no IPv6
# packet is sent.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

set_up 3
start base s "$BASESERVER" 2002 </dev/null
wait_for "the base server to listen" listens "${PID[base]}" 2002
start_cli 1
start_cli 2 -a 10.0.0.7
wait_joined 1
first=$REPLY
wait_joined 2 10.0.0.7
ip -n "$PREFIX-c1" addr show dev tun0 | grep -q "inet $first/16" ||
	fail "no prefix length of 16"
ip -n "$PREFIX-c1" link show dev tun0 | grep -q "mtu 1500" || fail "no MTU 1500"
wait_ping c1 10.0.0.7
wait_ping c2 "$first"
transfer c1 c2 10.0.0.7 10000000
start_cli 3 -a 10.0.0.7
wait_for "cli to say that the address is taken" log_has cli3 'in use'
ns c1 ping -6 -q -c 2 -i 0.2 -W 1 -I tun0 ff02::2 >/dev/null 2>&1
wait_ping c1 10.0.0.7
log_has base 'IPv6 came' && fail "cli sent an IPv6 packet"
stop cli1
stop cli2
stop cli3
