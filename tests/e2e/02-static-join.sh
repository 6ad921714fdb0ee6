#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Static addresses, in all the spellings that the command line has.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

set_up 3
start_srv
start_cli 1 -a 10.0.0.7
start cli2 c2 "$CLI" $SERVER -s 10.0.0.8 </dev/null
start cli3 c3 "$CLI" --server $SERVER --address 10.0.77.9 </dev/null
wait_joined 1 10.0.0.7
wait_joined 2 10.0.0.8
wait_joined 3 10.0.77.9
wait_ping c1 10.0.0.8
wait_ping c2 10.0.77.9
