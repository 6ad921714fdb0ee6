#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The server is killed under live clients and started again: they come back by
# themselves with the same addresses, over the same interfaces.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

set_up 3
start_srv
start_cli 1
start_cli 2
start_cli 3 -a 10.0.9.9
declare -a address index
for i in 1 2 3; do
	wait_joined $i
	address[i]=$REPLY
	index[i]=$(ip -n "$PREFIX-c$i" -o link show dev tun0 | cut -d: -f1)
done
wait_ping c1 "${address[2]}"
stop srv KILL
wait_for "cli to notice" log_has cli1 'next try|lost|closed'
has_address c1 "${address[1]}" || fail "the address was taken away"
start_srv
for i in 1 2 3; do
	BOUND=60 wait_ping "c$i" $HUB
	wait_joined $i "${address[i]}"
	[[ ${index[i]} == "$(ip -n "$PREFIX-c$i" -o link show dev tun0 |
		cut -d: -f1)" ]] || fail "the interface in c$i was made anew"
done
wait_ping c1 "${address[2]}"
wait_ping c3 "${address[1]}"
