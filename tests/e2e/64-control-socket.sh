#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The control socket: what a killed server leaves is replaced, a live one's is
# not; hostile askers disturb neither the server nor other askers; an option
# says where it is, or that there is none.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

set_up 1
start_srv
raw_start one c1
raw_join one 10.0.0.7
control status >/dev/null || fail "no status"
[[ $(stat -c %a "$WORK/srv.sock") == 660 ]] ||
	fail "the socket's mode is $(stat -c %a "$WORK/srv.sock")"

# A second server does not take it away, and says so.
ns s timeout 20 "$SRV" --no-tun -p 2003 --control "$WORK/srv.sock" \
	>"$WORK/out" 2>&1
(($? == 1)) || fail "a second server started on the same socket"
grep -q 'another process answers there' "$WORK/out" || fail "$(<"$WORK/out")"
control status >/dev/null || fail "the first one's socket is gone"

# Stuck readers, a megabyte without a line, half a line, killed askers.
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
	start "stuck$i" s socat -u 'SYSTEM:printf stat; sleep 60' \
		"UNIX-CONNECT:$WORK/srv.sock" </dev/null
done
head -c 1000000 /dev/zero | tr '\0' a |
	socat -t 1 -u - "UNIX-CONNECT:$WORK/srv.sock" 2>/dev/null
for i in 1 2 3 4 5; do
	control status >/dev/null || fail "no status beside hostile askers"
	raw_do one ping me $HUB 100
	raw_do one expect-pong $HUB
done
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
	stop "stuck$i" KILL
done
control status >/dev/null || fail "no status after them"

# Killed: the socket stays and nobody answers; the next start replaces it.
stop srv KILL
[[ -S $WORK/srv.sock ]] || fail "a killed server has removed its socket"
control status 2>"$WORK/err"
(($? == 7)) || fail "status of a killed server did not end with 7"
start_srv
control status >/dev/null || fail "the stale socket was not replaced"

# Something else is never removed.
stop srv
echo precious >"$WORK/file"
ns s timeout 20 "$SRV" --no-tun --control "$WORK/file" >"$WORK/out" 2>&1
(($? == 1)) || fail "a file was taken for a socket"
[[ $(<"$WORK/file") == precious ]] || fail "a file was removed"

# The path may stand in the configuration, where srv status finds it.
printf 'control = %s\nno-tun = yes\n' "$WORK/dir/other.sock" >"$WORK/srv.conf"
start srv s "$SRV" -c "$WORK/srv.conf" </dev/null
wait_for "srv to listen" listens "${PID[srv]}" 2002
"$SRV" status -c "$WORK/srv.conf" | grep -q 'without a TUN' ||
	fail "status does not find the socket of the configuration"
[[ $(stat -c %a "$WORK/dir") == 750 ]] || fail "the directory's mode"
stop srv
[[ ! -e $WORK/dir/other.sock ]] || fail "the socket was left behind"

# One that becomes another user can be asked by that user, and cleans up.
chmod 755 "$WORK"
install -m 755 "$SRV" "$WORK/srv.nobody"
start_srv --user nobody --control "$WORK/given/srv.sock"
[[ $(stat -c '%U %a' "$WORK/given/srv.sock") == "nobody 660" ]] ||
	fail "the socket was not given to the user"
for as in root nobody; do
	setpriv --reuid $as --regid 65534 --clear-groups "$WORK/srv.nobody" \
		status -S "$WORK/given/srv.sock" >/dev/null ||
		fail "$as cannot ask"
done
chmod 666 "$WORK/given/srv.sock"
chmod 755 "$WORK/given"
setpriv --reuid daemon --regid daemon --clear-groups "$WORK/srv.nobody" \
	status -S "$WORK/given/srv.sock" >"$WORK/out" 2>&1
(($? == 1)) || fail "another user could ask"
grep -q 'permission denied' "$WORK/out" || fail "$(<"$WORK/out")"
stop srv
[[ ! -e $WORK/given/srv.sock ]] || fail "the socket was left behind"

# None at all.
start_srv --control none
[[ ! -e $WORK/srv.sock ]] || fail "a socket in spite of none"
