#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A connection without an address: data is dropped and counted and never gives
# one, and after ten seconds the server closes it.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

set_up 1
start_srv
raw_start other c1
raw_join other 10.0.0.7
raw_start silent c1
raw_do silent connect
now_ms
start=$REPLY
raw_start data c1
raw_do data udp 10.0.0.9 10.0.0.7 100
raw_do data udp $HUB 10.0.0.7 100
wait_dropped not_joined 2
raw_do other udp me me 77
raw_do other expect-udp me me 77
raw_do silent expect-eof 20000
now_ms
((REPLY - start > 8000)) || fail "closed after $((REPLY - start)) ms"
((REPLY - start < 14000 * WAIT_SCALE)) || fail "closed after $((REPLY - start)) ms"
raw_do data expect-eof 10000
raw_do other keepalive
