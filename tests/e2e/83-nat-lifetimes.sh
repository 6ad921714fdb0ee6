#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The rules of --nat go with the server that made them: at its end, also as an
# unprivileged user, and after a SIGKILL with the next start.  Two servers on
# one host do not meet.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

expect_tables() {
	nat_tables
	[[ $REPLY == "$1" ]] || fail "tables: ${REPLY}instead of: $1"
}

MARKER="simplevpn-forwarding-was-off "
set_up 1
add_world
[[ $(forwarding) == 0 ]] || skip "namespaces are made with forwarding on"

# Killed: the next one replaces the rules, and still knows that forwarding was
# off before the first.
start_srv --nat up0
stop srv KILL
expect_tables "${MARKER}simplevpn-nat-tun0 "
start_srv --nat up0
expect_tables "${MARKER}simplevpn-nat-tun0 "
n=$(ns s nft list ruleset | grep -c masquerade)
((n == 2)) || fail "$n masquerading rules instead of 2"
stop srv KILL
start_srv --nat up0 --tun other
log_has srv 'removing NAT rules that a server on tun0 has left' ||
	fail "the left-overs were not named"
expect_tables "${MARKER}simplevpn-nat-other "
stop srv
expect_tables ""
[[ $(forwarding) == 0 ]] || fail "forwarding is still on"

# The next one is without NAT: so are its clients.
start_srv --nat up0
stop srv KILL
start_srv
log_has srv 'removing what a server with --nat has left' ||
	fail "the left-overs were not named"
expect_tables ""
[[ $(forwarding) == 0 ]] || fail "forwarding is still on"
stop srv

# Side by side.
start_srv --nat up0
start second s "$SRV" --nat up0 --port 2003 --network 10.1.0.0/16 \
	--control none </dev/null
wait_for "the second server" listens "${PID[second]}" 2003
expect_tables "${MARKER}simplevpn-nat-tun0 simplevpn-nat-tun1 "
stop srv
expect_tables "${MARKER}simplevpn-nat-tun1 "
[[ $(forwarding) == 1 ]] || fail "one server took forwarding from the other"
start cli1 c1 "$CLI" -s $SERVER -p 2003 </dev/null
wait_joined 1
ip -n "$PREFIX-c1" route add $WORLD dev tun0
wait_ping c1 $WORLD
stop cli1
stop second
expect_tables ""
[[ $(forwarding) == 0 ]] || fail "forwarding is still on"

# Forwarding that was on stays on.
ns s sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
start_srv --nat up0
expect_tables "simplevpn-nat-tun0 "
stop srv
expect_tables ""
[[ $(forwarding) == 1 ]] || fail "forwarding was turned off"
ns s sh -c 'echo 0 >/proc/sys/net/ipv4/ip_forward'

# Whoever it runs as by then.
start_srv --nat up0 --user nobody
grep -q '^Uid:.*65534' "/proc/${PID[srv]}/status" || fail "srv is still root"
stop srv
((STATUS == 0)) || fail "srv ended with $STATUS"
expect_tables ""
[[ $(forwarding) == 0 ]] || fail "forwarding is still on"
log_has srv 'warning|error' && fail "srv complains"

# As a service manager starts it: never root, with an ambient capability.
SRV_WRAP=(setpriv --reuid nobody --clear-groups "--inh-caps=-all,+net_admin"
	"--ambient-caps=-all,+net_admin" "--bounding-set=-all,+net_admin"
	--no-new-privs)
start_srv --nat up0 --control none
expect_tables "${MARKER}simplevpn-nat-tun0 "
stop srv
((STATUS == 0)) || fail "srv ended with $STATUS"
expect_tables ""
[[ $(forwarding) == 0 ]] || fail "forwarding is still on"
log_has srv 'warning|error' && fail "srv complains"
SRV_WRAP=()

# A tunnel with the addresses of the uplink.
start_srv --nat up0 --network 198.51.0.0/16
log_has srv 'up0 has 198.51.100.1, which is in the tunnel' ||
	fail "the overlap was not named"
