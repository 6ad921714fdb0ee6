#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Wrong usage is one clear line on stderr and status 2; --help and --version
# are status 0 on stdout.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

set_up 0

# usage_error WHAT COMMAND...: status 2, one line, and it names WHAT.
usage_error() {
	local what=$1 status
	shift
	timeout 10 "$@" >"$WORK/out" 2>"$WORK/err"
	status=$?
	((status == 2)) || fail "$*: status $status, not 2"
	[[ ! -s $WORK/out ]] || fail "$*: output on stdout"
	(($(wc -l <"$WORK/err") == 1)) || fail "$*: $(<"$WORK/err")"
	grep -qF -e "$what" "$WORK/err" || fail "$*: no '$what': $(<"$WORK/err")"
}

usage_error --no-such-option "$SRV" --no-such-option
usage_error port "$SRV" --port 65536
usage_error port "$SRV" -p 0
usage_error port "$SRV" -p 12x
usage_error network "$SRV" --network 10.0.0.0
usage_error network "$SRV" --network 10.0.0.0/33
usage_error network "$SRV" --network 10.0.0.1/16
usage_error mtu "$SRV" --mtu 0
usage_error mtu "$SRV" --mtu
usage_error stray "$SRV" stray
usage_error server "$CLI"
usage_error address "$CLI" -s $SERVER -a 10.0.0
usage_error address "$CLI" $SERVER -s 10.0.0.300
usage_error port "$CLI" -s $SERVER -p 99999
usage_error keepalive "$CLI" -s $SERVER --keepalive x
usage_error second "$CLI" $SERVER second
for program in "$SRV" "$CLI"; do
	"$program" --help >"$WORK/out" 2>"$WORK/err" || fail "--help: status $?"
	[[ ! -s $WORK/err && -s $WORK/out ]] || fail "--help: not on stdout"
	(($(wc -L <"$WORK/out") <= 80)) || fail "--help: over 80 columns"
	"$program" -V >"$WORK/out" || fail "-V: status $?"
	grep -qE '[0-9]+\.[0-9]+' "$WORK/out" || fail "-V: no version"
done
