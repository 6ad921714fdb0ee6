#!/bin/bash
# SPDX-License-Identifier: MIT
#
# --default-route: the traffic of the host goes through the hub, the connection
# to the server does not; a new default route, as a renewed lease brings it,
# changes nothing of that; strict rp_filter does not stop a reconnect; IPv6 does
# not go past the tunnel; and at the end all is as it was.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# What the host has that cli may change.
state() {
	ip -n "$PREFIX-c1" rule
	ip -n "$PREFIX-c1" -6 rule
	ip -n "$PREFIX-c1" route show table all | grep -v 'table local'
	ns c1 nft list ruleset
	ns c1 cat /proc/sys/net/ipv4/conf/all/src_valid_mark
	cat "$WORK/etc1/resolv.conf"
	ls "$WORK/etc1"
	ls "$WORK/run1/resolvconf/interfaces" 2>/dev/null
}

# The address from which the lan's server sees c1, in REPLY.
seen_as() {
	REPLY=$(ns c1 timeout 5 socat -u TCP4:198.51.100.2:7000 - </dev/null)
	[[ $REPLY == "$1" ]]
}

set_up 1
add_lan
private 1
# The server is reached by the default route, which has a choice of gateways.
ip -n "$PREFIX-s" addr add 203.0.113.1/32 dev lo
ip -n "$PREFIX-s" addr add 192.0.2.2/24 dev br0
ip -n "$PREFIX-c1" route add default via 192.0.2.1
ip -n "$PREFIX-c1" -6 addr add 2001:db8::11/64 dev eth0 nodad
ip -n "$PREFIX-c1" -6 route add default via 2001:db8::1
# The strictest setting there is.
# shellcheck disable=SC2016 # that shell's
ns c1 sh -c 'for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 1 >$f; done'
SERVER=203.0.113.1
start_srv
# shellcheck disable=SC2016 # socat's shell's
start lan lan socat TCP4-LISTEN:7000,fork,reuseaddr \
	SYSTEM:'printf %s "$SOCAT_PEERADDR"' </dev/null
wait_for "the lan's server to listen" listens "${PID[lan]}" 7000
state >"$WORK/before"
wait_for "c1 to be seen as itself" seen_as 192.0.2.11

start_cli 1 --default-route -a 10.0.0.11
wait_joined 1
wait_for "c1 to be seen with its tunnel address" seen_as 10.0.0.11
wait_for "its line about it" log_has cli1 'all traffic goes through the tunnel'
ns c1 ip route get 203.0.113.1 mark 0x2002 | grep -q 'dev eth0' ||
	fail "the server's way leads through the tunnel"
ns c1 ip route get 192.0.2.2 | grep -q 'dev eth0' ||
	fail "the neighbours' way leads through the tunnel"
ns c1 ip -6 route get 2001:db8:1::1 2>&1 | grep -q 'dev eth0' &&
	fail "IPv6 goes past the tunnel"
ns c1 ip -6 route get 2001:db8::2 | grep -q 'dev eth0' ||
	fail "the IPv6 neighbours are lost"

say "a new default route while connected"
ip -n "$PREFIX-c1" route replace default via 192.0.2.2 metric 50
ip -n "$PREFIX-c1" route del default via 192.0.2.1
wait_for "c1 to go on" seen_as 10.0.0.11
ip -n "$PREFIX-c1" route del default
ip -n "$PREFIX-c1" route add default via 192.0.2.1
wait_for "c1 to go on" seen_as 10.0.0.11
log_has cli1 'next try' && fail "the connection was lost"

say "the server restarts"
stop srv
start_srv
wait_for "c1 to be back" seen_as 10.0.0.11

stop cli1
state >"$WORK/after"
diff "$WORK/before" "$WORK/after" || fail "not all is as it was"
wait_for "c1 to be seen as itself" seen_as 192.0.2.11
