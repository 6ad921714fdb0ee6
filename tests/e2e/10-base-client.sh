#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A base client, with the bytes that clients in the field send, beside a
# capable one: packets go both ways, and the gateway is reached.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

set_up 2
start_srv
start_cli 1 -a 10.0.0.11
wait_joined 1
raw_start base c2
# The static request of the wire page, its reply, and its keepalive.
raw_do base send 451400000000000040000000 0a000007 00000000
raw_do base expect 451400000000000040000000 00000000 0a000007
raw_do base send 451400000000000040000000 ffffffff ffffffff
raw_do base expect 451400000000000040000000 ffffffff ffffffff
raw_do base close
raw_do base header 4514ffffffffffffffffffff
raw_join base 10.0.0.7
raw_do base ping me 10.0.0.11 84
raw_do base expect-pong 10.0.0.11
raw_do base ping me 10.0.0.11 1500
raw_do base expect-pong 10.0.0.11
raw_do base ping me $HUB 84
raw_do base expect-pong $HUB
raw_do base udp me me 200
raw_do base expect-udp me me 200
raw_tell base answer
wait_ping c1 10.0.0.7
wait_ping s 10.0.0.7
ns c1 ping -q -c 20 -i 0.01 -s 1472 10.0.0.7 | grep -q ' 0% packet loss' ||
	fail "full-sized packets to the base client are lost"
