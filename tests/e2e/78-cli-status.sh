#!/bin/bash
# SPDX-License-Identifier: MIT
#
# `cli status`: what it shows of a client that is connected, of one that waits,
# and of several, as text and as JSON; exit code 7 when there is none, also
# after one was killed; garbage at the socket hurts nobody.
#
# The namespaces share /run, so all clients here run where it is a file system
# of their own.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

set_up 1
mkfifo "$WORK/hold"
# shellcheck disable=SC2016 # it is sh that expands $1
start holder c1 unshare -m sh -c \
	'mount -t tmpfs none /run && echo ready && exec cat "$1"' \
	sh "$WORK/hold" </dev/null
wait_for "a /run of our own" log_has holder ready
inside=(nsenter -t "${PID[holder]}" -m)

status() { ns c1 "${inside[@]}" "$CLI" status "$@" >"$WORK/status" 2>&1; }
expect() { grep -qE -e "$1" "$WORK/status" ||
	fail "no '$1' in: $(<"$WORK/status")"; }
shows() { status && grep -qE -e "$1" "$WORK/status"; }
# json EXPRESSION: true of the array that cli status --json prints.
json() {
	status --json || fail "status --json: $? $(<"$WORK/status")"
	python3 -c 'import json, sys
a = json.load(open(sys.argv[1]))
if not eval(sys.argv[2]): sys.exit("not " + sys.argv[2] + ": " + str(a))' \
		"$WORK/status" "$1" || fail "json"
}

# Nobody runs.
status
code=$?
((code == 7)) || fail "exit code $code, nobody runs"
expect 'no client is running'
status -i tun9
code=$?
((code == 7)) || fail "exit code $code, nobody has tun9"

# Waiting: why, which server is next, and when.
start cli1 c1 "${inside[@]}" "$CLI" -s $SERVER -s $SERVER:2003 -a 10.0.0.7 \
	</dev/null
wait_for "the client to wait" shows 'not connected for .*Connection refused'
wait_for "the time of the next try" shows "next try    $SERVER.*, in [0-9.]+ s"
json 'a[0]["state"] in ("waiting", "connecting") and a[0]["address"] is None'
json 'a[0]["servers"] == ["'$SERVER'", "'$SERVER':2003"]'
json '"refused" in a[0]["why"] and a[0]["peer"] is None'

# Connected.
start_srv --mtu 1400
wait_joined 1 10.0.0.7
wait_ping c1 $HUB
ns c1 ping -q -c 10 -i 0.05 -s 1000 $HUB >/dev/null
status || fail "exit code $?"
expect '^tun0: connected for [0-9]+ s$'
expect "^  server      $SERVER \($SERVER:2002\)$"
expect '^  address     10\.0\.0\.7/16, mtu 1400$'
expect '^  round trip  [0-9]+\.[0-9]+ ms'
expect '^  received    .* in [1-9][0-9]+ packets$'
json 'a[0]["interface"] == "tun0" and a[0]["state"] == "connected"'
json 'a[0]["address"] == "10.0.0.7" and a[0]["prefix_length"] == 16'
json 'a[0]["gateway"] == "'$HUB'" and a[0]["mtu"] == 1400'
json 'a[0]["peer"] == "'$SERVER':2002" and a[0]["why"] is None'
json 'a[0]["rx_packets"] >= 11 and a[0]["rx_bytes"] >= 10280'
json 'a[0]["tx_packets"] >= 11 and a[0]["rtt_us"] > 0'
json 'a[0]["reconnects"] == 0 and a[0]["joins"] == 1'
json 'abs(a[0]["since"] - __import__("time").time()) < 60'

# Counters in the status are those of the interface.
packets=$(ns c1 cat /sys/class/net/tun0/statistics/tx_packets)
json 'a[0]["tx_packets"] + sum(a[0]["drops"].values()) >= '"$packets"

# A second one, and one of them alone.
start cli2 c1 "${inside[@]}" "$CLI" -s $SERVER --tun vpn7 --no-route </dev/null
wait_for "the second client" shows '^vpn7: connected'
json 'sorted(c["interface"] for c in a) == ["tun0", "vpn7"]'
status -i vpn7 || fail "status -i vpn7"
grep -q tun0 "$WORK/status" && fail "tun0 in the status of vpn7"
status --control /run/simplevpn/cli-tun0.sock || fail "status --control"
expect '^tun0: connected'

# Killed: its socket stays behind and does not count.
kill -KILL "${PID[cli2]}"
wait "${PID[cli2]}" 2>/dev/null
unset "PID[cli2]"
ns c1 "${inside[@]}" test -S /run/simplevpn/cli-vpn7.sock || fail "no left-over"
status || fail "exit code $? beside a left-over"
json 'len(a) == 1'
status -i vpn7
code=$?
((code == 7)) || fail "exit code $code for one that was killed"

# Garbage, a line without an end, a peer that never reads.
ask_raw() { ns c1 "${inside[@]}" timeout 20 socat -t 2 - \
	UNIX-CONNECT:/run/simplevpn/cli-tun0.sock; }
printf 'nonsense\n' | ask_raw >"$WORK/status" 2>&1
expect '^error 2 '
expect '^unknown request; a client takes: status, status json$'
head -c 100000 /dev/urandom | ask_raw >/dev/null 2>&1
head -c 100000 /dev/zero | tr '\0' a | ask_raw >/dev/null 2>&1
status || fail "exit code $? after garbage"
wait_ping c1 $HUB

# Back after a restart: counted, and "since" begins anew.
stop srv
wait_for "the loss to show" shows 'tun0: not connected'
expect '^  address     10\.0\.0\.7/16'
start_srv --mtu 1400
wait_for "the client to be back" shows '^tun0: connected for'
json 'a[0]["reconnects"] == 1'

for bad in --nonsense 'tun0' '-i tun0 --control /x' '-i a/b'; do
	# shellcheck disable=SC2086 # words
	status $bad
	code=$?
	((code == 2)) || fail "status $bad: exit code $code"
done
stop cli1
ns c1 "${inside[@]}" test -e /run/simplevpn/cli-tun0.sock &&
	fail "the socket stays after the end"
status
code=$?
((code == 7)) || fail "exit code $code after the end"

# --control: none, and a place that cannot be had.
start cli1 c1 "${inside[@]}" "$CLI" -s $SERVER --control none </dev/null
wait_joined 1
status
code=$?
((code == 7)) || fail "exit code $code with --control none"
ns c1 "${inside[@]}" "$CLI" -s $SERVER --control "$WORK/hold/x" \
	>"$WORK/status" 2>&1
code=$?
((code == 1)) || fail "exit code $code without its control socket"
expect 'error: .*hold'
