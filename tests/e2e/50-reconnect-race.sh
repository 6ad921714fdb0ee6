#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The host of a static address has died in silence and comes again.  The server
# still holds the old connection: it gives the address over when that has been
# silent for longer than a live client ever is, to the same host, and to
# nobody else.  The late end of the old connection frees nothing.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/faults.sh
. "$(dirname "$0")/faults.sh"

IDLE=12
PROBE_MS=8000	# a keepalive each IDLE / 4 s, and 5 s of patience

# One attempt of the same host.
comes_again() {
	raw c2 "refused 10.0.0.11" >/dev/null || fail "another host got it"
	raw_try again join 10.0.0.11 && return
	raw_do again close
	return 1
}

set_up 2
start_srv --idle-timeout $IDLE
start_cli 1 -a 10.0.0.11
wait_joined 1 10.0.0.11
wait_ping c1 $HUB
raw_start other c2
raw_join other 10.0.0.12
# The old connection dies without a word; its host can still connect.
port=$(sed -nE 's/.*10\.0\.0\.11 joined from [^:]*:([0-9]+).*/\1/p' \
	"${LOG[srv]}")
now_ms
start=$REPLY
ns c1 nft "add table inet dead; add chain inet dead out { type filter hook \
output priority 0; }; add rule inet dead out tcp sport $port drop" ||
	fail "nft"
stop cli1 KILL
raw_start again c1
comes_again && fail "the address of a live client was given away"
BOUND=$IDLE wait_for "the address to be given over" comes_again
now_ms
say "given over $((REPLY - start)) ms after the host died"
((REPLY - start > PROBE_MS - 4000)) || fail "that is too early"
log_has srv '10\.0\.0\.11 left.*its host has connected again' ||
	fail "it was not taken over, but free"
# Nothing of the old one is left to disturb the new one.
raw c2 "refused 10.0.0.11" >/dev/null || fail "another host got it"
raw_do other udp me 10.0.0.11 100
raw_do again expect-udp 10.0.0.12 me 100
raw_do again keepalive
raw_do again expect-nothing 1000
raw c2 "refused 10.0.0.11" >/dev/null || fail "another host got it"
raw_do again keepalive
