#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Two clients join with nothing but the server's name: each gets an address of
# its own, the prefix length and MTU that the server says, and a route to the
# network.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

set_up 2
start_srv
start_cli 1
start_cli 2
wait_joined 1
first=$REPLY
wait_joined 2
second=$REPLY
[[ $first == 10.0.* && $second == 10.0.* ]] || fail "got $first and $second"
[[ $first != "$second" ]] || fail "both got $first"
for address in "$first" "$second"; do
	[[ $address != "$HUB" ]] || fail "the server's own address was given"
done
ip -n "$PREFIX-c1" addr show dev tun0 | grep -q "inet $first/16" ||
	fail "no prefix length of 16"
ip -n "$PREFIX-c1" link show dev tun0 | grep -q "mtu 1500" || fail "no MTU 1500"
ip -n "$PREFIX-c1" route get 10.0.200.1 | grep -q "dev tun0" || fail "no route"
ip -n "$PREFIX-s" addr show dev tun0 | grep -q "inet $HUB/16" ||
	fail "the server's TUN has no $HUB/16"
wait_ping c1 $HUB
