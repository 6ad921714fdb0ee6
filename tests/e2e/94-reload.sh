#!/bin/bash
# SPDX-License-Identifier: MIT
#
# SIGHUP: what is live changes, what is not is named, a broken file changes
# nothing, and through a hundred of them no client is dropped.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

reloads() { grep -cE 'configuration (not )?reloaded' "${LOG[srv]}"; }
more_reloads() { (($(reloads) > $1)); }
reload() {
	local before
	before=$(reloads)
	kill -HUP "${PID[srv]}"
	wait_for "the reload" more_reloads "$before"
	REPLY=$(grep -E 'configuration (not )?reloaded' "${LOG[srv]}" | tail -n 1)
}

expect() { [[ $REPLY == *"$1"* ]] || fail "\"$1\" expected: $REPLY"; }

set_up 3
conf=$WORK/srv.conf
printf 'max-clients = 2\nidle-timeout = 300\n' >"$conf"
start_srv -c "$conf" --stall-timeout 20
start_cli 1
start_cli 2
wait_joined 1
wait_joined 2
wait_ping c1 $HUB

reload
expect "reloaded, nothing changed"
start_cli 3
wait_for "a refusal" log_has cli3 'refused'

# Live: the third client may join now.  The command line keeps its word.
printf 'max-clients = 3\nidle-timeout = 300\nstall-timeout = 5\n' >"$conf"
reload
expect "changed: max-clients"
[[ $REPLY == *stall* ]] && fail "the file won over the command line: $REPLY"
wait_joined 3

# Not live: named, as long as it differs.
printf 'max-clients = 3\nidle-timeout = 200\nport = 2010\nmtu = 1400\n' >"$conf"
reload
expect "changed: idle-timeout; these need a restart: port, mtu"
reload
expect "nothing changed; these need a restart: port, mtu"

# Broken or missing: nothing changes.
printf 'max-clients = 1\nidle-timeout = soon\n' >"$conf"
reload
expect "not reloaded, all stays as it was: $conf:2: idle-timeout: \"soon\" found"
rm "$conf"
reload
expect "not reloaded, all stays as it was: cannot open $conf"

# A pipe cannot be read twice, and nobody waits for it.
mkfifo "$conf"
reload
expect "not reloaded, all stays as it was: $conf is not a regular file"
rm "$conf"

# Alternating, under load.
receive sink c2 5001 "$WORK/got"
head -c 30000000 /dev/urandom >"$WORK/sent"
tunnel_address c2
start sender c1 socat -u "OPEN:$WORK/sent" "TCP4:$REPLY:5001" </dev/null
fds=$(find "/proc/${PID[srv]}/fd" -type l | wc -l)
for ((i = 0; i < 34; i++)); do
	printf 'max-clients = 3\nidle-timeout = %d\n' $((201 + i)) >"$conf"
	reload
	expect "changed: idle-timeout"
	printf 'max-clients = x\n' >"$conf"
	reload
	expect "not reloaded"
	rm "$conf"
	reload
	expect "not reloaded"
done
wait_end sender
wait_end sink
cmp "$WORK/sent" "$WORK/got" || fail "the transfer is not what was sent"
(($(find "/proc/${PID[srv]}/fd" -type l | wc -l) <= fds)) || fail "descriptors leak"
log_has srv ' left' && fail "a client was dropped"
for i in 1 2 3; do
	(($(grep -c 'connected to' "${LOG[cli$i]}") >= 1)) || fail "cli$i"
	grep -q 'connection lost\|closed the connection' "${LOG[cli$i]}" &&
		fail "cli$i lost its connection"
done
say "$(reloads) reloads, no client dropped"
