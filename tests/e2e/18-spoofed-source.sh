#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Data whose source is not the sender's address is dropped and counted, and
# the connection lives on; after a changed address only the new one counts.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

set_up 2
start_srv
raw_start victim c1
raw_start liar c2
raw_join victim 10.0.0.7
raw_join liar 10.0.0.8
raw_do liar udp 10.0.0.9 10.0.0.7 100
raw_do liar udp $HUB 10.0.0.7 100
raw_do liar udp 10.0.0.7 10.0.0.7 100
raw_do liar udp 198.51.100.9 10.0.0.7 100
raw_do liar udp 10.0.0.9 $HUB 100
raw_do liar keepalive
wait_dropped spoofed_source 5
raw_do liar udp me 10.0.0.7 120
raw_do victim expect-udp 10.0.0.8 me 120
raw_join liar 10.0.0.9
raw_do liar udp 10.0.0.8 10.0.0.7 100
raw_do liar udp 10.0.0.9 10.0.0.7 130
raw_do victim expect-udp 10.0.0.9 me 130
wait_dropped spoofed_source 6
drop_count spoofed_source
((REPLY == 6)) || fail "$REPLY packets counted, 6 were sent"
