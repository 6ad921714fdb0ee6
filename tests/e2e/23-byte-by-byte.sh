#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Messages that come one byte at a time, or cut anywhere, or many at once, are
# the same messages.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

set_up 1
start_srv
raw_start base c1
for i in $(seq 20); do
	raw_do base cut 1
	raw_join base "10.0.1.$i"
	[[ $REPLY == "10.0.1.$i" ]] || fail "joined as $REPLY"
	raw_do base keepalive
	raw_do base udp me me 64
	raw_do base expect-udp me me 64
	raw_do base cut random
	raw_do base keepalive
	raw_do base udp me me 333
	raw_do base expect-udp me me 333
	raw_do base close
done
raw_join base 10.0.2.1
raw_do base cut 0
# Three keepalives and half of a fourth in one send, then its other half.
one=451400000000000040000000ffffffffffffffff
raw_do base send $one $one $one ${one:0:20}
raw_do base expect $one $one $one
raw_do base expect-nothing 50
raw_do base send ${one:20}
raw_do base expect $one
