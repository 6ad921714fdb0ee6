#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A client that was killed leaves policy rules, an nft table and name servers.
# The next start, whatever its options, removes them, and leaves alone what
# belongs to a client that lives, to another program, or to the user.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

rules() { ip -n "$PREFIX-c1" "$1" rule | grep -v -e '^0:' -e '^3276'; }

# State that is no client's.
state() {
	rules -4
	rules -6
	ns c1 nft list tables
	cat "$WORK/etc1/resolv.conf"
	ls "$WORK/etc1"
	ls "$WORK/run1/resolvconf/interfaces" 2>/dev/null
}

set_up 1
private 1
start_srv --push-dns 10.0.0.53
ip -n "$PREFIX-c1" rule add priority 20007 to 198.51.100.0/24 lookup 20020999
ns c1 nft add table ip simplevpn-mine
state >"$WORK/before"

for way in file resolvconf; do
	if [[ $way == file ]]; then
		sed -i '2i mount --bind /dev/null /usr/sbin/resolvconf 2>/dev/null' \
			"$WORK/private1"
	elif resolvconf --version 2>/dev/null | grep -q openresolv; then
		sed -i 2d "$WORK/private1"
	else
		continue
	fi
	say "killed, name servers by $way"
	start_cli 1 --default-route --tun 'vpn%d'
	wait_for "the name servers" grep -q 10.0.0.53 "$WORK/etc1/resolv.conf"
	(($(rules -4 | wc -l) == 3)) || fail "no rules: $(rules -4)"
	stop cli1 KILL
	(($(rules -4 | wc -l) == 3)) || fail "nothing is left to be cleaned"
	grep -q 10.0.0.53 "$WORK/etc1/resolv.conf" || fail "no file left"
	: >"${LOG[cli1]}"
	start_cli 1 --no-dns
	wait_joined 1
	wait_for "its line about it" log_has cli1 'removed the policy rules'
	wait_for "its line about it" log_has cli1 'removed the nft table'
	state | grep -v -e resolv.conf.bak >"$WORK/after"
	if [[ $way == file ]]; then
		wait_for "its line about it" log_has cli1 'put /etc/resolv.conf back'
		diff "$WORK/before" "$WORK/after" || fail "not all is cleaned"
	else
		wait_for "its line about it" log_has cli1 'removed the DNS servers'
		grep -q simplevpn-tun "$WORK/after" && fail "a record is left"
		grep -q 10.0.0.53 "$WORK/etc1/resolv.conf" && fail "in the file"
	fi
	stop cli1
done

say "two living clients"
start_cli 1 --default-route
wait_for "the rules" log_has cli1 'all traffic'
rules -4 >"$WORK/rules"
ns c1 nft list tables >"$WORK/tables"
start other c1 "${CLI_WRAP[@]}" "$CLI" -s $SERVER --tun other --default-route \
	--no-routes </dev/null
wait_for "the second one's rules" log_has other 'all traffic'
(($(rules -4 | wc -l) == 5)) || fail "not two of each: $(rules -4)"
stop other
rules -4 | diff "$WORK/rules" - || fail "the first one's rules changed"
ns c1 nft list tables | diff "$WORK/tables" - || fail "the tables changed"
ns c1 cat /proc/sys/net/ipv4/conf/all/src_valid_mark | grep -q 1 ||
	fail "the setting that the first one needs is gone"
