#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A client that is started before its server joins when the server comes; a
# dynamic client whose old address is taken meanwhile takes another.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

has_other_address() { tunnel_address c1 && [[ $REPLY != "$old" ]]; }

set_up 2
start_cli 1
wait_for "cli to try" log_has cli1 'next try|refused'
start_srv
BOUND=60 wait_joined 1
old=$REPLY
wait_ping c1 $HUB
# Whoever comes first has the address: should cli win, there is another round.
for round in 1 2 3 4 5 6; do
	stop srv KILL
	start_srv
	raw_start "thief$round" c2
	raw_try "thief$round" join "$old" && break
done
((round < 6)) || fail "the base client was never first"
BOUND=60 wait_for "c1 to have another address" has_other_address
BOUND=60 wait_ping c1 $HUB
