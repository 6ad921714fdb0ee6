#!/bin/bash
# SPDX-License-Identifier: MIT
#
# srv status --watch shows what changes; srv kick closes one client and leaves
# the others alone, and the one that was closed may come back.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

set_up 2
start_srv
start_cli 1
wait_joined 1 10.0.0.2
raw_start other c2
raw_join other 10.0.0.7

start watch s "$SRV" status -S "$WORK/srv.sock" --watch=1 </dev/null
watched() { log_has watch "$1"; }
wait_for "the first look" watched '^10\.0\.0\.7 '

[[ $(control kick 10.0.0.7) == "10.0.0.7 is closed; its client may connect again" ]] ||
	fail "kick does not say what it did"
raw_do other expect-eof
wait_for "the watch to see it" watched '^  left +1 client: kicked 1$'
log_has srv '10\.0\.0\.7 left, .*: closed by the operator' || fail "not logged"
raw_do other close
raw_join other 10.0.0.7
can_ping c1 $HUB || fail "the other client was hit too"

control kick 10.0.0.2 >/dev/null || fail "cli could not be closed"
kicked_twice() { [[ $(control status --json | jq .leaves.kicked) == 2 ]]; }
wait_for "the second one to be counted" kicked_twice
back() { [[ $(control status --json | jq .n_clients) == 2 ]]; }
wait_for "cli to be back" back
wait_ping c1 $HUB

for address in 10.0.0.99 $HUB 198.51.100.1 10.0.0.0; do
	control kick "$address" 2>"$WORK/err"
	(($? == 1)) || fail "kick $address did not end with 1"
	grep -q "^srv: no client has $address$" "$WORK/err" ||
		fail "kick $address: $(<"$WORK/err")"
done
control kick host 2>"$WORK/err"
(($? == 2)) || fail "kick host did not end with 2"

# The watch ends by itself with the server, and says why.
stop srv
wait_end watch
((STATUS == 7)) || fail "the watch ended with $STATUS"
log_has watch 'srv: not running' || fail "the watch does not say why it ended"
