#!/bin/bash
# SPDX-License-Identifier: MIT
#
# --reject-outside: a neighbour on the client's own network cannot reach the
# tunnel's address past the tunnel; the tunnel and the host itself can.  And
# what the client's host forwards for others has an MSS that fits.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

neighbour_reaches() { can_ping c2 10.0.0.11; }

set_up 2
private 1
start_srv --mtu 1300
ip -n "$PREFIX-c2" route add 10.0.0.11 via 192.0.2.11
start_cli 1 -a 10.0.0.11
wait_joined 1 10.0.0.11
wait_ping c1 $HUB
# Without the option it can: that the test would notice.
wait_for "the neighbour to reach it" neighbour_reaches
stop cli1
start_cli 1 -a 10.0.0.11 --reject-outside
wait_joined 1 10.0.0.11
wait_ping c1 $HUB
neighbour_reaches && fail "the neighbour reaches the tunnel's address"
ns c1 ping -q -c 1 -W 2 10.0.0.11 >/dev/null || fail "not even the host itself"
wait_ping s 10.0.0.11

say "what is forwarded has the MSS of the tunnel"
add_namespace lan
ip -n "$PREFIX-c1" link add lan0 type veth peer name eth0 netns "$PREFIX-lan"
ip -n "$PREFIX-c1" addr add 172.20.0.1/24 dev lan0
ip -n "$PREFIX-c1" link set lan0 up
ip -n "$PREFIX-lan" addr add 172.20.0.2/24 dev eth0
ip -n "$PREFIX-lan" link set eth0 up
ip -n "$PREFIX-lan" route add default via 172.20.0.1
ns c1 sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
# What leaves c1 by the tunnel is counted by its MSS, after the mangle chain.
ns c1 nft -f - <<-END
	table ip watch {
	  chain c {
	    type filter hook forward priority filter; policy accept;
	    oif "tun0" tcp flags syn tcp option maxseg size 1260 counter
	    oif "tun0" tcp flags syn tcp option maxseg size > 1260 counter drop
	  }
	}
END
ns lan timeout 2 socat -u OPEN:/dev/null TCP4:$HUB:7000,connect-timeout=1 \
	2>/dev/null
ns c1 nft list table ip watch | grep -q '1260 counter packets [1-9]' ||
	fail "no SYN with an MSS of 1260: $(ns c1 nft list table ip watch)"
ns c1 nft list table ip watch | grep -q '> 1260 counter packets 0' ||
	fail "a SYN with a larger one"
stop cli1

say "so has what goes to a network of --route, and no more than that"
start_cli 1 -a 10.0.0.11 --route 10.60.0.0/16
wait_joined 1 10.0.0.11
wait_for "the table" ns c1 sh -c "nft list ruleset | grep -q 'set rt mtu'"
ns c1 nft list ruleset | grep -q 'type != local drop' &&
	fail "packets are dropped without having been asked for"
stop cli1
ns c1 nft list tables | grep -q simplevpn && fail "the table is left"

say "without nft it is an error"
for path in /usr/sbin/nft /sbin/nft; do
	sed -i "2i mount --bind /dev/null $path" "$WORK/private1"
done
start_cli 1 --reject-outside
wait_end cli1
((STATUS == 1)) || fail "status $STATUS"
log_has cli1 'reject-outside is not possible' || fail "no reason"
