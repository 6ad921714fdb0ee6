#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The example device joins, dynamic and static, and is pinged through the hub
# from a client and from the gateway.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

set_up 2
start_srv
start_cli 1 -a 10.0.0.11
wait_joined 1
start device c2 "$DEVICE" $SERVER </dev/null
wait_for "the device to join" log_has device 'joined as 10\.0\.'
address=$(sed -n 's/.*joined as //p' "${LOG[device]}")
wait_ping c1 "$address"
wait_ping s "$address"
start static c2 "$DEVICE" $SERVER 2002 10.0.0.77 </dev/null
wait_for "the static device to join" log_has static 'joined as 10\.0\.0\.77'
ns c1 ping -q -c 20 -i 0.01 -s 1400 10.0.0.77 | grep -q ' 0% packet loss' ||
	fail "packets are lost"
# Taken: the device is told by the end of the stream, and says so.
start third c2 "$DEVICE" $SERVER 2002 10.0.0.77 </dev/null
wait_end third
((STATUS != 0)) || fail "the refused device ended with 0"
[[ -s ${LOG[third]} ]] || fail "the refused device said nothing"
