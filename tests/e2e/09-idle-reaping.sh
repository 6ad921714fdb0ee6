#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A client from which nothing comes is closed after the idle timeout, and its
# address is free at once.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

set_up 1
start_srv --idle-timeout 2
raw_start silent c1
raw_start other c1
raw_join silent 10.0.0.50
now_ms
start=$REPLY
raw_do other refused 10.0.0.50
raw_do silent expect-eof 10000
now_ms
((REPLY - start > 1500)) || fail "closed after $((REPLY - start)) ms"
((REPLY - start < 6000 * WAIT_SCALE)) || fail "closed only after $((REPLY - start)) ms"
raw_join other 10.0.0.50
