#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A second request is answered with the same address; one for another free
# address moves the client; one that cannot be had ends the connection.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

set_up 1
start_srv
raw_start base c1
raw_start other c1
raw_join base
address=$REPLY
raw_join base
[[ $REPLY == "$address" ]] || fail "moved from $address to $REPLY"
raw_join base "$address"
raw_join base 10.0.0.77
raw_join base
[[ $REPLY == 10.0.0.77 ]] || fail "moved from 10.0.0.77 to $REPLY"
# The old address is free, and packets go to the new one.
raw_join other "$address"
raw_do other udp me 10.0.0.77 90
raw_do base expect-udp "$address" me 90
# Taken, the server's own, the network's, the broadcast's, others' networks.
for wanted in "$address" 10.0.0.1 10.0.0.0 10.0.255.255 10.1.0.1 192.0.2.99 \
	224.0.0.1 255.255.255.255 127.0.0.1; do
	raw_do base refused "$wanted"
	raw_join base 10.0.0.77
done
raw_do other keepalive
