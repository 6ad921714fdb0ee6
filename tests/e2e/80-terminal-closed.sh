#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The terminal in which cli runs is closed: SIGHUP ends it like SIGTERM, and
# the full tunnel and the name servers are taken back.  Under nohup it goes on.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

state() {
	ip -n "$PREFIX-c1" rule
	ip -n "$PREFIX-c1" -6 rule
	ns c1 nft list ruleset
	cat "$WORK/etc1/resolv.conf"
	ls "$WORK/etc1"
}

set_up 1
private 1
without resolvconf 1
state >"$WORK/before"
start_srv --push-dns 10.0.0.53
private=${CLI_WRAP[0]}

CLI_WRAP=(env --default-signal=HUP "$private")
start_cli 1 --default-route
wait_joined 1
wait_for "the name server" grep -q '10.0.0.53' "$WORK/etc1/resolv.conf"
stop cli1 HUP
((STATUS == 0)) || fail "cli ended with $STATUS"
log_has cli1 'ended by SIGHUP' || fail "no word of the signal"
state >"$WORK/after"
diff "$WORK/before" "$WORK/after" || fail "not all is as it was"

CLI_WRAP=(env --ignore-signal=HUP "$private")
start_cli 1
wait_joined 1
kill -HUP "${PID[cli1]}"
wait_ping c1 $HUB
kill -USR1 "${PID[cli1]}"
wait_for "cli to be there" log_has cli1 reconnects
stop cli1
