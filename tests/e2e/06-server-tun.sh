#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Between a client and the gateway's own network stack, both ways.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

set_up 1
start_srv
start_cli 1 -a 10.0.0.11
wait_joined 1
wait_ping c1 $HUB
wait_ping s 10.0.0.11
transfer c1 s $HUB 20000000
transfer s c1 10.0.0.11 20000000
