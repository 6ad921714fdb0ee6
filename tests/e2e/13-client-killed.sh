#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A client that is killed leaves nothing behind, and its address is free for
# it when it comes back.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

set_up 2
start_srv
start_cli 1 -a 10.0.0.7
start_cli 2
wait_joined 1 10.0.0.7
wait_joined 2
wait_ping c2 10.0.0.7
stop cli1 KILL
wait_for "the interface to go" not tunnel_address c1
start_cli 1 -a 10.0.0.7
wait_joined 1 10.0.0.7
wait_ping c2 10.0.0.7
