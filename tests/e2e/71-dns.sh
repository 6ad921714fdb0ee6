#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Pushed name servers and search domain, by each of the three ways: they are in
# force while the client runs, change while it is connected, and go with it.
# What is no address of a server and no domain name is ignored.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

hex() { printf '%s' "$1" | od -An -v -tx1 | tr -d ' \n'; }

dns() {
	local address hex=
	for address; do
		# shellcheck disable=SC2086 # four words
		hex+=$(printf '%02x%02x%02x%02x' ${address//./ })
	done
	printf '07%02x%s' $((${#hex} / 2)) "$hex"
}

search() { printf '08%02x%s' ${#1} "$(hex "$1")"; }

push() { # OPTIONS: to all clients
	echo "$1" >&"$push"
}

file_has() { grep -qE "$2" "$WORK/etc$1/resolv.conf"; }

set_up 4
mkfifo "$WORK/push"
exec {push}<>"$WORK/push"
start base s "$BASESERVER" 2002 \
	"010110$(dns 10.0.0.53 127.0.0.1 0.0.0.0 224.0.0.251)$(search corp.example)" <&"$push"
wait_for "the server to listen" listens "${PID[base]}" 2002

say "the file"
private 1
without resolvconf 1
before=$(<"$WORK/etc1/resolv.conf")
chmod 640 "$WORK/etc1/resolv.conf"
start_cli 1
wait_for "the name server" file_has 1 '^nameserver 10\.0\.0\.53$'
file_has 1 '^search corp\.example$' || fail "no search domain"
[[ $(grep -c nameserver "$WORK/etc1/resolv.conf") == 1 ]] ||
	fail "too many servers: $(<"$WORK/etc1/resolv.conf")"
for bad in 127.0.0.1 0.0.0.0 224.0.0.251; do
	wait_for "its line about it" log_has cli1 "DNS server $bad .*ignored"
done
wait_for "its line about it" log_has cli1 \
	'DNS 10.0.0.53, search domain corp.example, through'
[[ $(<"$WORK/etc1/resolv.conf.simplevpn") == "$before" ]] || fail "not kept"

say "a second client on the host leaves the file to the first"
start other c1 "${CLI_WRAP[@]}" "$CLI" -s $SERVER --no-routes </dev/null
wait_for "it to say so" log_has other 'another client has changed it'
stop other
file_has 1 '^nameserver 10\.0\.0\.53$' || fail "the second took it away"

say "changes while connected"
push "$(dns 10.0.0.54 10.0.0.55)$(search new.example)"
wait_for "the new servers" file_has 1 '^nameserver 10\.0\.0\.55$'
file_has 1 '^search new\.example$' || fail "not the new domain"
# shellcheck disable=SC2016 # as it stands
for bad in 'a;b' '$(id)' '-x' '~.' 'a..b' .; do
	push "$(search "$bad")"
	wait_for "the warning of '$bad'" log_has cli1 'search domain .*ignored'
	wait_for "the domain to go" not file_has 1 search
	push "$(search good.example)"
	wait_for "the good domain" file_has 1 '^search good\.example$'
	: >"${LOG[cli1]}"
done
stop cli1
[[ $(<"$WORK/etc1/resolv.conf") == "$before" ]] ||
	fail "not put back: $(<"$WORK/etc1/resolv.conf")"
[[ $(stat -c %a "$WORK/etc1/resolv.conf") == 640 ]] || fail "another mode"
[[ ! -e $WORK/etc1/resolv.conf.simplevpn ]] || fail "the copy is left"

say "somebody else writes the file meanwhile, and it is left alone"
start_cli 1 --dns 10.0.0.99
wait_for "the user's server" file_has 1 '^nameserver 10\.0\.0\.99$'
echo 'nameserver 192.0.2.200' >"$WORK/etc1/resolv.conf"
stop cli1
[[ $(<"$WORK/etc1/resolv.conf") == 'nameserver 192.0.2.200' ]] ||
	fail "what somebody else wrote is gone"

say "--no-dns"
: >"${LOG[cli1]}"
start_cli 1 --no-dns
wait_for "c1 to have joined" log_has cli1 'address 10'
push "$(dns 10.0.0.57)0302057a"
wait_for "the push to be read" ns c1 sh -c "ip link show dev tun0 | grep -q 'mtu 1402'"
log_has cli1 'cli: DNS ' && fail "DNS in spite of --no-dns"
stop cli1

say "a file that cannot be written"
mkdir "$WORK/etc1/resolv.conf.simplevpn"
start_cli 1
wait_for "it to say so" log_has cli1 'cannot set the DNS servers'
wait_joined 1
stop cli1

say "resolvconf"
if resolvconf --version 2>/dev/null | grep -q openresolv; then
	private 2
	start_cli 2
	record=$WORK/run2/resolvconf/interfaces/tun.simplevpn-tun0
	wait_for "the record" test -s "$record"
	grep -q '^nameserver 10.0.0.53$' "$record" || fail "$(<"$record")"
	grep -q '^search corp.example$' "$record" || fail "$(<"$record")"
	wait_for "the file to follow" file_has 2 '^nameserver 10\.0\.0\.53'
	wait_for "its line about it" log_has cli2 'through resolvconf'
	push "$(dns 10.0.0.56)"
	wait_for "the new server" grep -q '^nameserver 10.0.0.56$' "$record"
	stop cli2
	[[ ! -e $record ]] || fail "the record is left"
	file_has 2 '10\.0\.0' && fail "the file still has it"
else
	say "(no resolvconf here)"
fi

say "systemd-resolved, played by a script"
private 3
mkdir -p "$WORK/run3/systemd/resolve"
mv "$WORK/etc3/resolv.conf" "$WORK/run3/systemd/resolve/stub-resolv.conf"
ln -s /run/systemd/resolve/stub-resolv.conf "$WORK/etc3/resolv.conf"
cat >"$WORK/bin3/resolvectl" <<-'END'
	#!/bin/sh
	echo "$@" >>/run/asked
END
chmod +x "$WORK/bin3/resolvectl"
start_cli 3
wait_for "resolvectl to be asked" grep -q default-route "$WORK/run3/asked"
stop cli3
start_cli 3 --default-route
wait_for "resolvectl to be asked again" grep -q '~\.' "$WORK/run3/asked"
stop cli3
diff "$WORK/run3/asked" - <<-END || fail "it was asked something else"
	dns tun0 10.0.0.53
	domain tun0 corp.example
	default-route tun0 no
	revert tun0
	dns tun0 10.0.0.53
	domain tun0 corp.example ~.
	default-route tun0 yes
	revert tun0
END
