#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A packet that is too big for its receiver: the sender gets ICMP
# fragmentation needed with the MTU when DF is set; else it is dropped and
# counted.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

set_up 2
start_srv --mtu 1400
start_cli 2 -a 10.0.0.12
wait_joined 2
ip -n "$PREFIX-c2" link show dev tun0 | grep -q "mtu 1400" ||
	fail "cli did not take the server's MTU"
raw_start base c1
raw_start other c1
raw_join base 10.0.0.7
raw_join other 10.0.0.8
raw_do base udp me 10.0.0.12 1401 df
raw_do base expect-icmp 3 4
[[ $REPLY == "icmp 3 4 from $HUB mtu 1400" ]] || fail "$REPLY"
drop_count too_big
((REPLY == 1)) || fail "$REPLY drops are counted instead of 1"
raw_do base udp me 10.0.0.12 1500
wait_dropped too_big 2
raw_do base expect-nothing 50
# Base clients always take 1500: they know no other MTU.
raw_do base udp me 10.0.0.8 1500 df
raw_do other expect-udp 10.0.0.7 me 1500
raw_do base keepalive
