#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A full tunnel whose client gets another address of the same network: the
# interface is never without one, or its routes would go and the traffic of
# the host past the tunnel.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# What left c1 past the tunnel, packets, in REPLY.
leaked() {
	REPLY=$(ns c1 nft list table ip watch |
		sed -n 's/.*counter packets \([0-9]*\).*/\1/p')
}

set_up 2
add_lan
private 1
ip -n "$PREFIX-s" addr add 203.0.113.1/32 dev lo
ip -n "$PREFIX-c1" route add default via 192.0.2.1
# On Debian it is 0, but systemd sets it to 1.
ns c1 sh -c 'echo 0 >/proc/sys/net/ipv4/conf/all/promote_secondaries
	echo 0 >/proc/sys/net/ipv4/conf/default/promote_secondaries'
ns c1 nft -f - <<-END
	table ip watch {
	  chain c {
	    type filter hook output priority filter; policy accept;
	    oif "eth0" ip daddr 198.51.100.2 counter
	  }
	}
END
SERVER=203.0.113.1
start_srv
start_cli 1 --default-route
wait_joined 1
tunnel_address c1
first=$REPLY
wait_ping c1 198.51.100.2
leaked
before=$REPLY
start ping c1 ping -q -f -i 0.002 198.51.100.2 </dev/null

# A slow machine: what a moment lets past is seen.
printf '%s\n' '#!/bin/sh' 'sleep 0.3' 'exec /usr/sbin/nft "$@"' >"$WORK/bin1/nft"
chmod +x "$WORK/bin1/nft"

say "another client takes its address while the server restarts"
kill -STOP "${PID[cli1]}"
stop srv
start_srv
SERVER=192.0.2.1
raw_start base c2
raw_join base "$first"
kill -CONT "${PID[cli1]}"
moved() { tunnel_address c1 && [[ $REPLY != "$first" ]]; }
wait_for "c1 to have another address" moved
wait_ping c1 $HUB
leaked
((REPLY == before)) || fail "$((REPLY - before)) packets went past the tunnel"
[[ $(ip -n "$PREFIX-c1" -o -4 addr show dev tun0 | wc -l) == 1 ]] ||
	fail "more than one address: $(ip -n "$PREFIX-c1" -4 addr show dev tun0)"
stop ping INT
# The counter counts.
stop cli1
ns c1 ping -q -c 1 -W 1 198.51.100.2 >/dev/null
leaked
((REPLY > before)) || fail "nothing is counted"
