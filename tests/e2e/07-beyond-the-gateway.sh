#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A client reaches a network behind the gateway, and is reached from it, by
# nothing but the gateway's ordinary routing.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

set_up 1
add_lan
start_srv
start_cli 1 -a 10.0.0.11
wait_joined 1
ip -n "$PREFIX-c1" route add 198.51.100.0/24 dev tun0
wait_ping c1 198.51.100.2
wait_ping lan 10.0.0.11
transfer c1 lan 198.51.100.2 10000000
transfer lan c1 10.0.0.11 10000000
