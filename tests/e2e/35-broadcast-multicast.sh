#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Directed and limited broadcast and multicast are not replicated, and counted.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

set_up 1
start_srv
raw_start one c1
raw_start two c1
raw_join one 10.0.0.7
raw_join two 10.0.0.8
raw_do one udp me 10.0.255.255 100
raw_do one udp me 255.255.255.255 100
raw_do one udp me 224.0.0.1 100
raw_do one udp me 239.255.255.250 100
# Whatever had been sent to the second one would stand in front of this.
raw_do one udp me 10.0.0.8 100
raw_do two expect-udp 10.0.0.7 me 100
wait_dropped broadcast 2
wait_dropped multicast 2
raw_do one expect-nothing 50
