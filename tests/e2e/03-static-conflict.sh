#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A static address that is taken: a base client is closed without a reply, cli
# says why and goes on trying, and gets it when its holder leaves.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

set_up 3
start_srv
start_cli 1 -a 10.0.0.7
wait_joined 1 10.0.0.7
raw c3 'refused 10.0.0.7' || fail "a base client was not refused"
start_cli 2 -a 10.0.0.7
wait_for "cli to say that the address is taken" \
	log_has cli2 '10\.0\.0\.7.*in use|in use.*10\.0\.0\.7|in use'
tunnel_address c2 && fail "the second client configured $REPLY"
wait_ping c1 $HUB
stop cli1
BOUND=60 wait_joined 2 10.0.0.7
wait_ping c2 $HUB
