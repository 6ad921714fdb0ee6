#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A client cannot take a port of the gateway for itself (CVE-2021-3773): it
# sends from the server's own port, and what then comes to that port from the
# same place still reaches the server, because the NAT gives other ports.

# shellcheck disable=SC2016	# another shell expands these
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

PEER_PORT=5555
JOIN='\x45\x14\0\0\0\0\0\0\x40\0\0\0\0\0\0\0\0\0\0\0'

set_up 1
add_world
start_srv --nat up0 --push-route 198.51.100.0/24
start_cli 1 -a 10.0.0.11
wait_joined 1
wait_ping c1 $WORLD

# The port that the world sees is none of a service, whatever the client takes.
start peer world socat TCP4-LISTEN:$PEER_PORT,fork,reuseaddr \
	SYSTEM:'echo $SOCAT_PEERPORT' </dev/null
wait_for "the world to listen" listens "${PID[peer]}" $PEER_PORT
for port in 22 443 2002 20000; do
	seen=$(ns c1 timeout 20 socat -u \
		TCP4:$WORLD:$PEER_PORT,sourceport=$port,reuseaddr STDOUT)
	((seen >= 32768)) || fail "from port $port the world sees port $seen"
done

# The attack: an entry from port 2002 to a port of the world, which then asks
# the server from that port.
stop peer KILL
ns c1 timeout 20 socat -u /dev/null \
	TCP4:$WORLD:$PEER_PORT,sourceport=2002,reuseaddr 2>/dev/null
# shellcheck disable=SC2059 # it is the bytes
n=$({ printf "$JOIN"; sleep 1; } | ns world timeout 20 socat - \
	TCP4:198.51.100.1:2002,sourceport=$PEER_PORT,reuseaddr | wc -c)
((n == 20)) || fail "the server's reply to the world has $n bytes"
