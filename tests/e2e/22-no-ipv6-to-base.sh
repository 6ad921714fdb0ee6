#!/bin/bash
# SPDX-License-Identifier: MIT
#
# IPv6 that a TUN emits never reaches a base client, neither from the gateway
# nor from another client; IPv6 that a base client sends is skipped, and its
# connection lives on.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

set_up 2
start_srv
start_cli 1 -a 10.0.0.11
wait_joined 1
raw_start base c2
raw_join base 10.0.0.7
for where in s c1; do
	ns $where ping -6 -q -c 3 -i 0.2 -W 1 -I tun0 ff02::1 \
		>/dev/null 2>&1
done
# Whatever had come would stand in front of this.
raw_do base udp me me 100
raw_do base expect-udp me me 100
raw_do base ipv6 8
raw_do base ipv6 0
raw_do base ipv6 1400
raw_do base ipv6 8 unspecified
raw_do base cut 7
raw_do base ipv6 16
raw_do base keepalive
raw_do base ping me 10.0.0.11 84
raw_do base expect-pong 10.0.0.11
wait_dropped ipv6 5
# The server's own interface sends router solicitations by itself.
raw_do base expect-nothing 100
