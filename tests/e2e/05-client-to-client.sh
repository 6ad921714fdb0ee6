#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Packets between two clients: ping, and a TCP transfer each way.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

set_up 2
start_srv
start_cli 1 -a 10.0.0.11
start_cli 2 -a 10.0.0.12
wait_joined 1
wait_joined 2
wait_ping c1 10.0.0.12
wait_ping c2 10.0.0.11
transfer c1 c2 10.0.0.12 30000000
transfer c2 c1 10.0.0.11 30000000
ns c1 ping -q -c 20 -i 0.01 -s 1472 -M 'do' 10.0.0.12 |
	grep -q ' 0% packet loss' || fail "full-sized packets are lost"
