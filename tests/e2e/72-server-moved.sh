#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A full tunnel with name servers inside, and the server gets another address:
# the name servers died with the tunnel, so cli asks those that the host had
# before, past the tunnel; and without an answer it goes where it was before.
# A signal that comes while it asks ends it, and it asks for the name of a
# second server, too, which it was never at.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

name_server() { # ADDRESS-OF-HUB: answers on 203.0.113.53
	start name s "$NAMESERVER" hub.example "$1" 203.0.113.53 </dev/null
	wait_for "the name server" ns s sh -c 'ss -Huln | grep -q 203.0.113.53'
}

set_up 1
private 1
for address in 203.0.113.53 203.0.113.1 203.0.113.9; do
	ip -n "$PREFIX-s" addr add $address/32 dev lo
done
ip -n "$PREFIX-c1" route add default via 192.0.2.1
echo 'nameserver 203.0.113.53' >"$WORK/etc1/resolv.conf"
name_server 203.0.113.1
start_srv --push-dns 10.0.0.53
SERVER=hub.example
start_cli 1 --default-route -a 10.0.0.11
wait_joined 1 10.0.0.11
wait_ping c1 $HUB
wait_for "its line about it" log_has cli1 'connected to .*203.0.113.1:2002'
wait_for "the pushed name server" grep -q '10.0.0.53' "$WORK/etc1/resolv.conf"

say "the server moves"
stop name KILL
: >"${LOG[name]}"
stop srv
ip -n "$PREFIX-s" addr del 203.0.113.1/32 dev lo
start_srv --push-dns 10.0.0.53
name_server 203.0.113.9
wait_for "cli to find it" log_has cli1 'connected to .*203.0.113.9:2002'
wait_for "its line about it" log_has name 'asked for hub.example by 192.0.2.11'
wait_ping c1 $HUB

say "the name server is gone, the server is where it was"
stop name KILL
stop srv
start_srv --push-dns 10.0.0.53
wait_for "cli to go there" log_has cli1 'trying where it was before'
wait_ping c1 $HUB

say "a signal while it asks past the tunnel"
name_server 203.0.113.1
kill -STOP "${PID[name]}"
stop srv
asks_outside() { [[ -n $(ns c1 ss -Hun 'dst 203.0.113.53') ]]; }
wait_for "cli to ask" asks_outside
kill -TERM "${PID[cli1]}"
start_srv --push-dns 10.0.0.53
stop cli1
((STATUS == 0)) || fail "cli ended with $STATUS"
stop name KILL

say "a second server, by its name"
name_server 203.0.113.9
SERVER=203.0.113.9
: >"${LOG[cli1]}"
start_cli 1 --default-route -a 10.0.0.11 -s hub.example:2003
wait_joined 1 10.0.0.11
wait_for "the pushed name server" grep -q '10.0.0.53' "$WORK/etc1/resolv.conf"
start second s "$SRV" --no-tun --port 2003 </dev/null
wait_for "the second server to listen" listens "${PID[second]}" 2003
stop srv
wait_for "cli to go there" log_has second '10\.0\.0\.11 joined'
stop cli1
