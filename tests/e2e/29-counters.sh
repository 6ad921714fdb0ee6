#!/bin/bash
# SPDX-License-Identifier: MIT
#
# SIGUSR1 prints the counters: in total and for each client, with sums that
# fit what was sent.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

set_up 1
start_srv
raw_start one c1
raw_start two c1
raw_join one 10.0.0.7
raw_join two 10.0.0.8
for _ in 1 2 3 4 5; do
	raw_do one udp me 10.0.0.8 100
	raw_do two expect-udp 10.0.0.7 me 100
done
print_counters
print_counters
log_has srv 'srv: total: rx_packets=[0-9]+ rx_bytes=[0-9]+ tx_packets=[0-9]+' ||
	fail "no line of sums"
log_has srv 'srv: client 10\.0\.0\.7 192\.0\.2\.11:[0-9]+: rx_packets=5 rx_bytes=500 ' ||
	fail "not 5 packets of 100 bytes from the first client"
log_has srv 'srv: client 10\.0\.0\.8 192\.0\.2\.11:[0-9]+: .*tx_packets=5 tx_bytes=500' ||
	fail "not 5 packets of 100 bytes to the second client"
