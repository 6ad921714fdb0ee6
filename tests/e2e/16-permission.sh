#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Without the right to make a TUN both programs say what to do, and end with
# status 4.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

set_up 1
nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all)
install -m 755 "$SRV" "$WORK/srv"
install -m 755 "$CLI" "$WORK/cli"
chmod 755 "$WORK"
for command in srv "cli -s $SERVER"; do
	# shellcheck disable=SC2086 # a program and its options
	ns c1 timeout 20 "${nobody[@]}" "$WORK"/$command >"$WORK/out" 2>&1
	status=$?
	((status == 4)) || fail "$command: status $status: $(<"$WORK/out")"
	grep -qiE 'root|CAP_NET_ADMIN|setcap' "$WORK/out" ||
		fail "$command does not say what to do: $(<"$WORK/out")"
done
