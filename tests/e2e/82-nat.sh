#!/bin/bash
# SPDX-License-Identifier: MIT
#
# --nat: a client reaches a host beyond the gateway that has no way back to the
# tunnel's network, with the gateway's address; segments fit the smaller link
# from the first; and nobody out there reaches a client unasked.

# shellcheck disable=SC2016	# another shell expands these
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# What the gateway's rule with these words has counted, packets.
counted() {
	ns s nft list table ip simplevpn-nat-tun0 |
		sed -n "/$1/s/.*counter packets \([0-9]*\).*/\1/p"
}
has_counted() { (($(counted "$1") > 0)); }

set_up 1
add_world
[[ $(forwarding) == 0 ]] || skip "namespaces are made with forwarding on"
start_srv --nat up0 --push-route 198.51.100.0/24
start_cli 1 -a 10.0.0.11
wait_joined 1
[[ $(forwarding) == 1 ]] || fail "forwarding is off"
wait_ping c1 $WORLD
ns world ip route get 10.0.0.11 >/dev/null 2>&1 &&
	fail "the world knows a way to the tunnel's network"

# Who the world sees, and the sizes that both sides announce.
for where in c1 world; do
	ns "$where" nft -f - <<-END
		table ip look {
			chain input {
				type filter hook input priority 0;
				tcp flags & (syn | rst) == syn \
					tcp option maxseg size 1360 counter
			}
		}
	END
done
start peer world socat TCP4-LISTEN:5001,fork,reuseaddr \
	SYSTEM:'echo $SOCAT_PEERADDR' </dev/null
wait_for "the world to listen" listens "${PID[peer]}" 5001
seen=$(ns c1 timeout 20 socat -u TCP4:$WORLD:5001 STDOUT)
[[ $seen == 198.51.100.1 ]] || fail "the world sees $seen"
for where in c1 world; do
	ns "$where" nft list table ip look | grep -q 'counter packets 1 ' ||
		fail "$where was not told a segment size of 1360 bytes:" \
			"$(ns "$where" nft list table ip look)"
done
stop peer KILL
transfer c1 world $WORLD 5000000

# A packet that comes from the world is part of what a client began, or ends.
ip -n "$PREFIX-world" route add 10.0.0.0/16 via 198.51.100.1
can_ping world 10.0.0.11 && fail "the world reaches a client unasked"
has_counted "nobody asked" || fail "not by our rule"
ip -n "$PREFIX-world" addr add 10.0.0.99/32 dev lo
ns s sh -c 'for i in all up0; do
	echo 0 >/proc/sys/net/ipv4/conf/$i/rp_filter; done'
ns c1 nft add rule ip look input ip saddr 10.0.0.99 counter
ns world ping -q -c 1 -W 1 -I 10.0.0.99 10.0.0.11 >/dev/null
has_counted "client's address from elsewhere" || fail "not by our rule"
can_ping c1 $HUB	# what came before it has arrived by now
ns c1 nft list table ip look | grep 'saddr.*counter packets 0 ' >/dev/null ||
	fail "the world speaks with a client's address"

stop srv
((STATUS == 0)) || fail "srv ended with $STATUS"
nat_tables
[[ -z $REPLY ]] || fail "left behind: $REPLY"
[[ $(forwarding) == 0 ]] || fail "forwarding is still on"
log_has srv 'warning|error' && fail "srv complains"
true
