#!/bin/bash
# SPDX-License-Identifier: MIT
#
# What the server pushes: routes get into the client's table at the join, change
# there with a reload, and go with the last one; a base client sees its 20 bytes
# and nothing else; what nobody could use is refused with the line of the file.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

resolv_has() { grep -qx "$1" "$WORK/etc1/resolv.conf"; }
has_route() { ip -n "$PREFIX-$1" route show "$2" dev tun0 | grep -q .; }

# refused PART OPTION...: srv does not start and says why, in one line.
refused() {
	local part=$1
	shift
	"$SRV" "$@" >"$WORK/refused" 2>&1
	(($? == 2)) || fail "srv took: $*"
	grep -qF -e "$part" "$WORK/refused" ||
		fail "srv $*: $(<"$WORK/refused"), which does not say: $part"
}

set_up 2
add_lan
ip -n "$PREFIX-lan" addr add 203.0.113.1/32 dev lo
ip -n "$PREFIX-s" route add 203.0.113.1 via 198.51.100.2

refused 'prefix length from 1 to 32' --test-config --push-route 0.0.0.0/0
refused "within the tunnel's network" --test-config --push-route 10.0.7.0/24
refused 'without hosts' --test-config --push-route 224.0.0.0/4
refused 'not the address of a host' --test-config --push-dns 127.0.0.53
refused 'a domain such as' --test-config --push-search 'a b'
printf 'port = 2002\npush-route = 198.51.100.9/24\n' >"$WORK/bad.conf"
refused "bad.conf:2: push-route" --test-config --config "$WORK/bad.conf"
mapfile -t many < <(printf -- '--push-route=192.168.%d.0/24\n' {0..32})
refused 'at most 32' --test-config "${many[@]}"

printf '%s\n' 'push-route = 198.51.100.0/24' 'push-route = 203.0.113.1/32' \
	"push-dns = $HUB" 'push-search = example.org' >"$WORK/srv.conf"
start_srv --config "$WORK/srv.conf"
private 1
without resolvconf 1
start_cli 1 -a 10.0.0.11
wait_joined 1
wait_for "the pushed routes" has_route c1 198.51.100.0/24
wait_for "the pushed routes" has_route c1 203.0.113.1
wait_for "the pushed DNS server" resolv_has "nameserver $HUB"
resolv_has 'search example.org' || fail "no search domain"
wait_ping c1 198.51.100.2
wait_ping c1 203.0.113.1

raw_start base c2
raw_do base send 451400000000000040000000 0a000007 00000000
raw_do base expect 451400000000000040000000 00000000 0a000007
raw_do base expect-nothing 300
raw_do base send 451400000000000040000000 ffffffff ffffffff
raw_do base expect 451400000000000040000000 ffffffff ffffffff

# A reload while both are connected: one route goes, another one comes.
reload() {
	printf '%s\n' "$@" >"$WORK/srv.conf"
	kill -HUP "${PID[srv]}"
}
reload 'push-route = 198.51.100.0/24' 'push-route = 192.168.7.0/24' \
	'push-dns = 10.0.0.2'
wait_for "the new route" has_route c1 192.168.7.0/24
wait_for "the old one to go" not has_route c1 203.0.113.1
has_route c1 198.51.100.0/24 || fail "a route that stays is gone"
wait_for "a word of the old one" log_has cli1 'route 203\.0\.113\.1/32 is withdrawn'
log_has cli1 'route 198.* withdrawn' && fail "a word of one that stays"
wait_for "the new DNS server" resolv_has 'nameserver 10.0.0.2'
wait_for "the search domain to go" not resolv_has 'search .*'
reload 'push-route = 0.0.0.0/0'
wait_for "the refusal" log_has srv 'not reloaded, .*srv.conf:1: push-route'
has_route c1 192.168.7.0/24 || fail "a refused reload changed a route"
reload '# nothing'
wait_for "the last route to go" not has_route c1 192.168.7.0/24
wait_for "the last route to go" not has_route c1 198.51.100.0/24
wait_for "the DNS server to go" not resolv_has 'nameserver 10.*'
raw_do base expect-nothing 300
raw_do base send 451400000000000040000000 ffffffff ffffffff
raw_do base expect 451400000000000040000000 ffffffff ffffffff
[[ $(grep -c joined "${LOG[srv]}") == 2 ]] || fail "a reload dropped a client"
reload 'push-route = 198.51.100.0/24'
wait_for "the route to be back" has_route c1 198.51.100.0/24

stop cli1
((STATUS == 0)) || fail "cli ended with $STATUS"
has_route c1 198.51.100.0/24 && fail "a pushed route outlives the client"
true
