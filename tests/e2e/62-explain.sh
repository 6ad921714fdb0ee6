#!/bin/bash
# SPDX-License-Identifier: MIT
#
# srv explain, compared with what becomes of such packets.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

explained() { # SOURCE DESTINATION WHAT
	REPLY=$(control explain "$1" "$2") || fail "explain $1 $2 failed"
	[[ $REPLY == *"$3"* ]] || fail "explain $1 $2: $REPLY, not: $3"
}

# The client that has $1 sends to $2; explain names the reason, and it counts.
dropped() { # SOURCE DESTINATION REASON
	explained "$1" "$2" "dropped, $3:"
	drop_count "$3"
	local before=$REPLY
	raw_do one udp "$1" "$2" 100
	wait_dropped "$3" $((before + 1))
}

arrived() { grep -q '^hello$' "$WORK/got"; }

set_up 1
add_lan
start_srv
raw_start one c1
raw_start two c1
raw_join one 10.0.0.7
raw_join two 10.0.0.8
ip -n "$PREFIX-lan" route replace 10.0.0.0/16 via 198.51.100.1

explained 10.0.0.7 10.0.0.8 "forwarded to the client that has 10.0.0.8"
raw_do one udp me 10.0.0.8 100
raw_do two expect-udp 10.0.0.7 me 100
explained 10.0.0.7 10.0.0.7 "it is its own receiver"
raw_do one udp me 10.0.0.7 101
raw_do one expect-udp 10.0.0.7 me 101
explained 10.0.0.7 $HUB "forwarded to tun0: it is for this host itself"
raw_do one ping me $HUB 100
raw_do one expect-pong $HUB
explained 10.0.0.7 198.51.100.2 "forwarded to tun0: from there"
raw_do one ping me 198.51.100.2 100
raw_do one expect-pong 198.51.100.2

explained 198.51.100.2 10.0.0.8 "forwarded to the client that has 10.0.0.8"
ns lan ping -q -c 1 -W 1 10.0.0.8 >/dev/null
two_was_sent() {
	(($(control status --json | jq '.clients[1].tx_packets') >= 2))
}
wait_for "the ping from the lan to reach 10.0.0.8" two_was_sent

dropped 10.0.0.9 10.0.0.8 spoofed_source
dropped 0.0.0.0 10.0.0.8 spoofed_source
dropped 10.0.0.7 10.0.0.99 no_such_client
raw_do one expect-icmp 3 1
dropped 10.0.0.7 10.0.255.255 broadcast
dropped 10.0.0.7 10.0.0.0 broadcast
dropped 10.0.0.7 255.255.255.255 broadcast
dropped 10.0.0.7 224.0.0.251 multicast
dropped 10.0.0.7 240.0.0.1 multicast

explained 198.51.100.2 10.0.0.99 "dropped, no_such_client: it came from the TUN"
drop_count no_such_client
before=$REPLY
ns lan ping -q -c 1 -W 1 10.0.0.99 >/dev/null
wait_dropped no_such_client $((before + 1))

control explain 10.0.0.7 2>"$WORK/err"
(($? == 2)) || fail "one address is enough"
control explain 10.0.0.7 host 2>"$WORK/err"
(($? == 2)) || fail "a name is an address"

stop srv
start_srv --no-tun
raw_do one close
raw_join one 10.0.0.7
dropped 10.0.0.7 $HUB no_gateway
dropped 10.0.0.7 198.51.100.2 no_gateway
explained 198.51.100.2 10.0.0.7 "dropped, spoofed_source:"
