#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A client with several servers: it passes over one that does not answer, moves
# to another one when its own dies, with the same address and without a wait;
# it asks a second server for an address that the first one has given away, and
# waits only when all were tried.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

start_second() { # NAME PORT
	start "$1" s "$SRV" --no-tun --port "$2" </dev/null
	wait_for "$1 to listen" listens "${PID[$1]}" "$2"
}

# Which of the two servers has the client, in REPLY.
server_of_client() {
	local name
	for name in srvA srvB; do
		REPLY=$name
		[[ -n ${PID[$name]:-} ]] &&
			[[ -n $(ns s ss -Htn state established \
				"( sport = :${port[$name]} )") ]] && return 0
	done
	return 1
}

count() { REPLY=$(grep -cE -e "$2" "${LOG[$1]}"); }

declare -A port=([srvA]=2101 [srvB]=2102)
set_up 2
start_second srvA 2101
start_second srvB 2102

# 2103: nobody listens there.
start cli1 c1 "$CLI" -s $SERVER:2101 -s $SERVER:2102 -s $SERVER:2103 \
	-a 10.0.0.9 </dev/null
wait_joined 1 10.0.0.9
wait_for "a server to have the client" server_of_client
first=$REPLY
say "joined $first"

# The one that it is at dies: the other one has it, at the same address.  The
# first connection may have been too short to be stable; the port that nobody
# listens at never stands in the way for longer than the first waits.
stop "$first" KILL
second=$([[ $first == srvA ]] && echo srvB || echo srvA)
wait_for "the client to join $second" \
	log_has "$second" "10\.0\.0\.9 joined"
has_address c1 10.0.0.9 || fail "the address has changed: $REPLY"
log_has cli1 "; trying $SERVER:210[123]" || fail "no word of the next server"

# No fail-back while the connection lasts.
start_second "$first" "${port[$first]}"
wait_for "the client to be at $second" server_of_client
[[ $REPLY == "$second" ]] || fail "it went back to $first"

# The address is taken at one server, so the other one is asked for it: at the
# latest when chance has taken the client there first.
for ((i = 0; i < 20; i++)); do
	start cli2 c2 "$CLI" -s $SERVER:2101 -s $SERVER:2102 -a 10.0.0.9 \
		</dev/null
	wait_joined 2 10.0.0.9
	stop cli2
	log_has cli2 'refused address 10\.0\.0\.9: .*; trying 192' && break
done
((i < 20)) || fail "the server that has the address was never asked first"

# With all of them gone there is one wait a round, not one an attempt.
stop "$first" KILL
stop "$second" KILL
wait_for "the client to wait" log_has cli1 'next try in [0-9.]+ s, at 192'
waits_and_moves() {
	count cli1 'next try'
	local waits=$REPLY
	count cli1 '; trying'
	((waits >= 3 && REPLY >= 2 * (waits - 1)))
}
wait_for "two attempts without a wait in each round" waits_and_moves
start_second back 2102
wait_for "the client to be back" log_has back '10\.0\.0\.9 joined'
has_address c1 10.0.0.9 || fail "the address has changed: $REPLY"

# What cannot be a server is refused at once.
for bad in "$SERVER:0" "$SERVER:port" "[::1" "a b" ""; do
	ns c2 "$CLI" -s $SERVER -s "$bad" >"$WORK/bad" 2>&1 &&
		fail "\"$bad\" was accepted"
	grep -q 'IPV6' "$WORK/bad" || fail "\"$bad\": $(<"$WORK/bad")"
done
