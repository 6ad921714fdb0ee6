#!/bin/bash
# SPDX-License-Identifier: MIT
#
# srv status as a table and as JSON: what it says is what was sent and what the
# log says; without a server it ends with 7, after a wrong word with 2.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# json FILTER: what the status has there, in REPLY.
json() {
	REPLY=$(control status --json | jq -r "$1") || fail "no JSON for $1"
}

expect() { # FILTER VALUE
	json "$1"
	[[ $REPLY == "$2" ]] || fail "$1 is $REPLY, not $2"
}

code_of() { # CODE COMMAND...
	local want=$1
	shift
	control "$@" >"$WORK/out" 2>"$WORK/err"
	REPLY=$?
	((REPLY == want)) || fail "srv $*: status $REPLY, not $want"
}

set_up 2
code_of 7 status
grep -q "not running: nobody answers at $WORK/srv.sock" "$WORK/err" ||
	fail "no clear word without a server"
begin=$(date +%s)
start_srv --mtu 1400
raw_start one c1
raw_start two c1
raw_join one 10.0.0.7
raw_join two 10.0.0.8
start_cli 2
wait_joined 2 10.0.0.2
for _ in 1 2 3 4 5; do
	raw_do one udp me 10.0.0.8 100
	raw_do two expect-udp 10.0.0.7 me 100
done
raw_do one udp 10.0.0.9 10.0.0.8 100
raw_do one udp me 10.0.0.99 100
wait_dropped no_such_client 1
wait_ping c2 $HUB

json '[.clients[].address] | join(" ")'
[[ $REPLY == "10.0.0.2 10.0.0.7 10.0.0.8" ]] || fail "the clients are $REPLY"
begun=$(date +%s%N)
expect .version "$("$SRV" --version | awk '{ print $3 }')"
expect '"\(.port) \(.network)/\(.prefix_length) \(.address) \(.tun)"' \
	"2002 10.0.0.0/16 10.0.0.1 tun0"
expect .n_clients 3
expect .n_pending 0
expect .addresses_held 3
expect .addresses_free $((65533 - 3))
expect .joins 3
expect .draining_s null
one='.clients[] | select(.address == "10.0.0.7")'
expect "$one | .rx_packets, .rx_bytes, .base, .segments, .mtu | tostring" \
	$'6\n600\ntrue\nfalse\n1500'
expect "$one | .drops | tostring" '{"spoofed_source":1,"no_such_client":1}'
expect "$one | .peer | startswith(\"192.0.2.11:\")" true
expect "$one | .rtt_us > 0 and .queue_bytes == 0 and .heard_ms < 60000" true
expect "$one | .since >= $begin and .since <= now and .state == \"joined\"" true
# A start is not a second earlier or later whenever one asks.
json .started
started=$REPLY
until (($(date +%s%N) > begun + 1100000000)); do
	expect .started "$started"
done
expect '.clients[] | select(.address == "10.0.0.8") | .tx_packets' 5
expect '.clients[0] | .base, .segments, .mtu | tostring' $'false\ntrue\n1400'
expect '.total.drops.spoofed_source' 1
drop_count no_such_client
expect '.total.drops.no_such_client' "$REPLY"
expect '.gateway.rx_packets >= 1 and .uptime_s < 600' true

code_of 0 status
grep -qE '^10\.0\.0\.7 +192\.0\.2\.11:[0-9]+ .* 600 B .* 2  base$' "$WORK/out" ||
	fail "no line of the first client: $(<"$WORK/out")"
grep -qE '^10\.0\.0\.2 +192\.0\.2\.12:[0-9]+ ' "$WORK/out" ||
	fail "no line of cli"
[[ $(grep -oE '^10[0-9.]+' "$WORK/out" | tr '\n' ' ') == \
	"10.0.0.2 10.0.0.7 10.0.0.8 " ]] || fail "not sorted by address"
grep -qE '^  dropped +2 packets: spoofed_source 1, no_such_client 1$' \
	"$WORK/out" || fail "no line of drops: $(<"$WORK/out")"
grep -qE '^  received  .* from clients, .* from the TUN$' "$WORK/out" ||
	fail "no line of traffic"
grep -qE '^  addresses 3 in use, 65,530 free$' "$WORK/out" ||
	fail "no line of addresses"

# One that goes is counted with its reason, and its bytes stay in the sums.
raw_do two close
two_left() { json '"\(.n_clients) \(.leaves.by_client)"' && [[ $REPLY == "2 1" ]]; }
wait_for "the second client to be gone" two_left
json '.total.tx_packets >= 5'
[[ $REPLY == true ]] || fail "what the second client was sent is forgotten"

code_of 2 state
code_of 2 status more
code_of 2 status --nothing
code_of 2 status --watch=0
code_of 2 kick 10.0.0.7 --json
printf 'status xml\n' | socat -t 5 - "UNIX-CONNECT:$WORK/srv.sock" >"$WORK/out"
grep -q '^error 2 ' "$WORK/out" || fail "a bad request is: $(<"$WORK/out")"
printf '\n' | socat -t 5 - "UNIX-CONNECT:$WORK/srv.sock" >"$WORK/out"
grep -q 'allowed are status, kick' "$WORK/out" ||
	fail "an empty request is: $(<"$WORK/out")"
"$SRV" status -S "$WORK/srv.sock" >/dev/full 2>"$WORK/err" &&
	fail "a full disk is no error"
expect .n_clients 2
