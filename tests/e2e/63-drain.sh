#!/bin/bash
# SPDX-License-Identifier: MIT
#
# srv drain: nobody new comes in, a capable client is sent away and told when to
# come back, a base client may stay until it leaves or the time is over; then
# the server ends with 0.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

field() { REPLY=$(control status --json 2>/dev/null | jq "$1"); }
is() { field "$1" && [[ $REPLY == "$2" ]]; }

set_up 3
start_srv
start_cli 1
wait_joined 1 10.0.0.2
raw_start base c2
raw_join base 10.0.0.7

control drain 3600 >"$WORK/out" || fail "drain failed"
grep -q 'at the latest in 3600 s' "$WORK/out" || fail "drain says nothing"
wait_for "cli to be gone" is .n_clients 1
wait_for "cli to know why" log_has cli1 \
	'the server is restarting; next try in 36'
field '.draining_s > 3500 and .draining_s <= 3600'
[[ $REPLY == true ]] || fail "the status does not say that it is draining"
control status | grep -q '^  draining ' || fail "nor does its table"
raw c3 connect >"$WORK/out" 2>&1 && fail "a newcomer was let in"
grep -qi refused "$WORK/out" || fail "a newcomer was: $(<"$WORK/out")"
raw_do base keepalive
raw_do base ping me $HUB 100
raw_do base expect-pong $HUB

# The last one leaves, and so does the server.
raw_do base close
wait_end srv
((STATUS == 0)) || fail "srv ended with $STATUS"
log_has srv 'drained: ending' || fail "not because it was empty"
[[ ! -e $WORK/srv.sock ]] || fail "the socket was left behind"
stop cli1

# One that stays is closed when the time is over, a new time counts.
start_srv
raw_start stays c2
raw_join stays 10.0.0.7
control drain 3600 >/dev/null
raw_do stays keepalive
control drain 1 >/dev/null
raw_do stays expect-eof
wait_end srv
((STATUS == 0)) || fail "srv ended with $STATUS"
log_has srv 'time for draining is over' || fail "no word of the time"

# A signal ends it at once, and nobody at all is drained at once.
start_srv
raw_start signal c2
raw_join signal 10.0.0.7
control drain >/dev/null
wait_for "draining" is '.draining_s != null' true
stop srv
((STATUS == 0)) || fail "srv ended with $STATUS"
start_srv
control drain 3600 >/dev/null
wait_end srv
((STATUS == 0)) || fail "an empty srv ended with $STATUS"
start_srv
control drain 86401 2>"$WORK/err"
(($? == 2)) || fail "a drain of more than a day is taken"
