#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Started as root the server becomes another user before its first thread:
# every thread, a client's too, is that user in that user's groups alone,
# without any capability and with no_new_privs.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

NOBODY=$(id -u nobody)
GROUP=$(id -g nobody)

# each_thread KEY VALUE: that is what the status of every thread says.
each_thread() {
	local status value n=0
	for status in /proc/"${PID[srv]}"/task/*/status; do
		value=$(awk -v key="$1:" '$1 == key {
			$1 = ""; print substr($0, 2) }' "$status")
		[[ $value == "$2" ]] ||
			fail "$status: $1 is '$value', not '$2'"
		n=$((n + 1))
	done
	((n >= ${THREADS:-5})) || fail "only $n threads"
}

# no_privilege UID GID: of every thread.
no_privilege() {
	local key
	each_thread Uid "$1 $1 $1 $1"
	each_thread Gid "$2 $2 $2 $2"
	for key in CapInh CapPrm CapEff CapBnd CapAmb; do
		each_thread $key 0000000000000000
	done
	each_thread NoNewPrivs 1
}

set_up 1
chmod 755 "$WORK"
SRV_WRAP=(setpriv --groups "0,4,27" --)
start_srv --user nobody --metrics 127.0.0.1:9100 --control "$WORK/run/srv.sock"
start_cli 1
wait_joined 1
wait_ping c1 $HUB
THREADS=8 no_privilege "$NOBODY" "$GROUP"
each_thread Groups "$GROUP"
# /proc/PID is not the user's own: no debugger of that user gets in.
owner=$(stat -c %u "/proc/${PID[srv]}/status")
# (a build with the leak checker has to be its own)
[[ $owner == 0 || $SRV == */asan/* ]] ||
	fail "the process can be dumped"
stop cli1
stop srv
((STATUS == 0)) || fail "srv ended with $STATUS"
ip -n "$PREFIX-s" link show tun0 >/dev/null 2>&1 && fail "tun0 is left"
[[ ! -e $WORK/run/srv.sock ]] || fail "the control socket is left"

# Without --user: simplevpn, if the host has such a user.
cp /etc/passwd "$WORK/passwd"
sed -i '/^simplevpn:/d' "$WORK/passwd"
as_if=(unshare -m sh -c "mount --bind $WORK/passwd /etc/passwd && exec \"\$@\"" sh)
SRV_WRAP=("${as_if[@]}")
start_srv
THREADS=4 no_privilege 0 0
stop srv
echo "simplevpn:x:65432:$GROUP::/nonexistent:/usr/sbin/nologin" >>"$WORK/passwd"
start_srv
THREADS=4 no_privilege 65432 "$GROUP"
stop srv
start_srv --user root
THREADS=4 no_privilege 0 0
stop srv

# A file that only root can read cannot be read again by a reload: it says so.
SRV_WRAP=()
echo "user = nobody" >"$WORK/srv.conf"
chmod 600 "$WORK/srv.conf"
: >"${LOG[srv]}"
start_srv -c "$WORK/srv.conf"
wait_for "a warning" log_has srv 'srv.conf.*nobody cannot read it'
stop srv
chmod 644 "$WORK/srv.conf"
: >"${LOG[srv]}"
start_srv -c "$WORK/srv.conf"
kill -HUP "${PID[srv]}"
wait_for "the reload" log_has srv 'reload|configuration'
log_has srv 'cannot' && fail "the reload failed: $(<"${LOG[srv]}")"
stop srv

# One clear line and a status for each wrong wish.
refused() { # STATUS WHAT COMMAND...
	local want=$1 what=$2 status
	shift 2
	ns s timeout 20 "$@" >"$WORK/out" 2>&1
	status=$?
	((status == want)) || fail "$*: status $status: $(<"$WORK/out")"
	grep -q -e "$what" "$WORK/out" || fail "no '$what': $(<"$WORK/out")"
}
install -m 755 "$SRV" "$WORK/srv"
refused 2 'no user "no-such-user"' "$SRV" --user no-such-user
refused 4 'only root can become' setpriv --reuid 65534 --clear-groups \
	"$WORK/srv" --no-tun --user root
