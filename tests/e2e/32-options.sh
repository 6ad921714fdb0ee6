#!/bin/bash
# SPDX-License-Identifier: MIT
#
# --tun names the interface, --no-route leaves the routes alone, --port is for
# both.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

set_up 2
PORT=4711
start_srv --port 4711 --tun hub0
ip -n "$PREFIX-s" link show dev hub0 >/dev/null || fail "no hub0"
start_cli 1 -p 4711 --tun vpn7 -a 10.0.0.11
start_cli 2 -p 4711 --no-route -a 10.0.0.12
wait_for "vpn7 to have an address" tunnel_address c1 vpn7
wait_joined 2
wait_ping c1 $HUB
ip -n "$PREFIX-c2" route | grep -q tun0 &&
	fail "a route in spite of --no-route: $(ip -n "$PREFIX-c2" route)"
ip -n "$PREFIX-c2" addr show dev tun0 | grep -q 'inet 10.0.0.12/32' ||
	fail "not /32: $(ip -n "$PREFIX-c2" addr show dev tun0)"
ip -n "$PREFIX-c2" route add $HUB dev tun0
wait_ping c2 $HUB
