#!/bin/bash
# SPDX-License-Identifier: MIT
#
# 120,000 packets of which none is right, and 50 connections that are no
# client's: each is counted, few are logged, and nobody else gets any of them.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/faults.sh
. "$(dirname "$0")/faults.sh"

N=120000	# six kinds of the same number

set_up 2
start_srv
raw_start other c1
raw_join other 10.0.0.7
raw_do other keepalive
ns c2 "$HOSTILE" packets $SERVER 2002 $N >/dev/null || fail "hostile packets"
raw_do other expect-nothing 300
raw c2 "$(for ((i = 0; i < 50; i++)); do
	printf 'send 474554202f20485454502f312e310d0a0d0a0d0a;'
	printf 'expect-eof;'
done)" >/dev/null
lines=$(wc -l <"${LOG[srv]}")
say "$lines lines are logged"
((lines < 100)) || fail "$lines lines are logged"
for reason in spoofed_source:$((N / 3)) broadcast:$((N / 3)) \
	multicast:$((N / 6)) ipv6:$((N / 6)); do
	drop_count "${reason%:*}"
	((REPLY == ${reason#*:})) ||
		fail "$REPLY are counted as ${reason%:*}, not ${reason#*:}"
done
raw_do other expect-nothing 100
raw_do other keepalive
