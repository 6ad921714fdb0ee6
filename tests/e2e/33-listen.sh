#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The server listens on IPv6 and IPv4 alike, or only where --listen says.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

set_up 1
[[ -e /proc/net/if_inet6 ]] || skip "the kernel has no IPv6"
ip -n "$PREFIX-s" addr add 2001:db8::1/64 dev br0 nodad
ip -n "$PREFIX-c1" addr add 2001:db8::11/64 dev eth0 nodad
start_srv
start cli6 c1 "$CLI" -s 2001:db8::1 -a 10.0.0.66 </dev/null
wait_joined 1 10.0.0.66
wait_ping c1 $HUB
log_has srv '\[2001:db8::11\]' || fail "the client's address is not in the log"
stop cli6
stop srv
start_srv --listen 127.0.0.1 --listen 2001:db8::1
raw c1 'connect' 2>/dev/null && fail "192.0.2.1 answers"
start cli6b c1 "$CLI" -s 2001:db8::1 -a 10.0.0.67 </dev/null
wait_joined 1 10.0.0.67
wait_ping c1 $HUB
