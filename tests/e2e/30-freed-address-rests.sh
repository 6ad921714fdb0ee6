#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A dynamic address that became free rests: others are given out before it.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

set_up 1
start_srv --network 10.0.0.0/28
raw_start base c1
# 13 addresses: each join gets another one, until all have been used.
declare -A seen=()
for i in $(seq 13); do
	raw_join base
	[[ -z ${seen[$REPLY]:-} ]] || fail "$REPLY again after $i joins"
	seen[$REPLY]=$i
	((i == 1)) && first=$REPLY
	raw_do base close
done
raw_join base
[[ $REPLY == "$first" ]] || fail "got $REPLY, $first has rested longest"
