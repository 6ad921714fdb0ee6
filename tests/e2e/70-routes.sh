#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Routes of the user (--route) and of the server: those that are good are there,
# change while connected and go; those that would take more of the host than a
# network of their own are named and ignored.  --no-routes leaves the server's.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# What goes into the reply: prefix length 16, and routes (length, network).
routes() {
	local route hex=
	for route; do
		hex+=$(printf '%s' "$route" | awk -F '[./]' \
			'{ printf "%02x%02x%02x%02x%02x", $5, $1, $2, $3, $4 }')
	done
	printf '06%02x%s' $((${#hex} / 2)) "$hex"
}

has_route() { ip -n "$PREFIX-$1" route show dev tun0 | grep -qE "^$2( |\$)"; }

warns() { # ROUTE WHY
	wait_for "its line about it" log_has cli1 "route $1 .*ignored: .*$2"
	has_route c1 "${1%/32}" && fail "$1 is there"
}

set_up 2
private 1
mkfifo "$WORK/push"
exec {push}<>"$WORK/push"
bad=(0.0.0.0/0 0.0.0.0/1 128.0.0.0/1 127.0.0.0/8 224.0.0.0/8 240.0.0.0/8
	0.0.0.0/8 169.254.169.254/32 169.0.0.0/8)
start base s "$BASESERVER" 2002 "010110$(routes 10.9.0.0/16 192.0.2.0/28 \
	10.50.0.0/16 "${bad[@]}")" <&"$push"
wait_for "the server to listen" listens "${PID[base]}" 2002
start_cli 1 --route 10.60.0.0/16 --route 10.70.1.0/24
start_cli 2 --no-routes --route 10.60.0.0/16
wait_for "the route" has_route c1 10.50.0.0/16
wait_for "the route" has_route c2 10.60.0.0/16
for route in 10.0.0.0/16 10.9.0.0/16 10.60.0.0/16 10.70.1.0/24; do
	has_route c1 "$route" || fail "$route is missing"
done
for route in 10.50.0.0/16 10.0.0.0/16; do
	has_route c2 "$route" && fail "$route in spite of --no-routes"
done
# The server's own address is 192.0.2.1.
wait_for "its line about it" log_has cli1 \
	'route 192.0.2.0/28 leads to the server itself'
has_route c1 192.0.2.0/28 && fail "the server's own network is there"
warns 0.0.0.0/0 --default-route
ip -n "$PREFIX-c1" route show dev tun0 | grep -q default &&
	fail "a default route"
warns 0.0.0.0/1 'too large'
warns 128.0.0.0/1 'too large'
warns 127.0.0.0/8 'own'
warns 0.0.0.0/8 'own'
warns 224.0.0.0/8 multicast
warns 240.0.0.0/8 multicast
warns 169.254.169.254/32 link-local
warns 169.0.0.0/8 link-local

say "other routes while connected"
routes 10.51.0.0/16 0.0.0.0/0 >&"$push"
echo >&"$push"
wait_for "the new route" has_route c1 10.51.0.0/16
has_route c1 10.50.0.0/16 && fail "the old route is still there"
has_route c1 10.60.0.0/16 || fail "the user's own route is gone"
stop cli1
ip -n "$PREFIX-c1" route | grep -q '^10\.' &&
	fail "left: $(ip -n "$PREFIX-c1" route)"

say "options without end: the server is left, and a signal is heard"
start_cli 1
wait_joined 1
for i in {1..25}; do
	routes "10.$((51 + i % 2)).0.0/16"
	echo
done >&"$push"
wait_for "cli to leave" log_has cli1 'changes its options too often'
stop cli1
((STATUS == 0)) || fail "cli ended with $STATUS"
stop base KILL

say "a network that is too large, an address that is none"
start base s "$BASESERVER" 2002 010101 </dev/null
wait_for "the server to listen" listens "${PID[base]}" 2002
start_cli 1
wait_for "its line about it" log_has cli1 'network 10.0.0.2/1 .*too large'
wait_joined 1 10.0.0.2
ip -n "$PREFIX-c1" route show dev tun0 | grep '/1 ' && fail "half of the world"
stop cli1
stop base KILL
start base s "$BASESERVER" 2002 010110 127.0.0.9 </dev/null
wait_for "the server to listen" listens "${PID[base]}" 2002
start_cli 1
wait_for "its line about it" log_has cli1 '127.0.0.9: .*own; next try'
has_address c1 127.0.0.9 && fail "the address is there"
stop cli1
((STATUS == 0)) || fail "cli ended with $STATUS"

say "options that are none"
for option in --route=10.0.0.1/16 --route=0.0.0.0/0 --route=10.0.0.0 \
	--dns=0.0.0.0 --dns=224.0.0.1 --dns=x '--no-dns --dns=10.0.0.1'; do
	# shellcheck disable=SC2086 # one may be two words
	"$CLI" -s h --test-config $option >"$WORK/out" 2>&1
	status=$?
	((status == 2)) || fail "$option: status $status"
	grep -q -e "${option%%[= ]*}" "$WORK/out" || fail "$option: $(<"$WORK/out")"
done
