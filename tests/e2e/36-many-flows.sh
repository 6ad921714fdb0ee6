#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Three clients exchange data in all directions at once, beside a base client
# that is pinged all the while.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

set_up 4
start_srv
for i in 1 2 3; do
	start_cli $i -a 10.0.0.1$i
done
for i in 1 2 3; do
	wait_joined $i
done
raw_start base c4
raw_join base 10.0.0.7
raw_tell base answer
head -c 20000000 /dev/urandom >"$WORK/data"
sum=$(sha256sum <"$WORK/data")
for i in 1 2 3; do
	receive "receiver$i" "c$((i % 3 + 1))" "600$i" "$WORK/got$i"
done
for i in 1 2 3; do
	start "sender$i" "c$i" socat -u OPEN:"$WORK/data" \
		"TCP4:10.0.0.1$((i % 3 + 1)):600$i" </dev/null
done
ns c1 ping -q -c 30 -i 0.02 -W 2 10.0.0.7 >"$WORK/ping"
for i in 1 2 3; do
	BOUND=60 wait_end "sender$i"
	((STATUS == 0)) || fail "sender $i broke off"
	wait_end "receiver$i"
	[[ $(sha256sum <"$WORK/got$i") == "$sum" ]] || fail "data of $i differs"
done
grep -q ' 0% packet loss' "$WORK/ping" || fail "ping: $(<"$WORK/ping")"
