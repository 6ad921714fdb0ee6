#!/bin/bash
# SPDX-License-Identifier: MIT
#
# 64 clients that connect, send, stall, move and die at random, against servers
# built with sanitizers.
#
#	tests/scale/churn.sh SRV...
#
# What has to hold: an address never has two owners; packets arrive whole, in
# order, and at nobody else; at the end threads, descriptors and memory are
# what they were, and no sanitizer has complained.  Environment: CHURN_SECONDS
# (600) is shared by the servers; SEED.

# shellcheck source=tests/scale/lib.sh
. "$(dirname "$0")/lib.sh"

CLIENTS_AT_ONCE=64
ACT_MS=50		# between two acts of one client, on average
ROUND=30		# seconds between two looks at who has what

# Resident memory may grow to so much: allocators, and sanitizers far more so,
# keep what was freed.  Leaks are for the address sanitizer to find.
bound_kib() { echo $(($1 + $1 / 2 + 4096)); }

(($# > 0)) || set -- "$SRV"
each=$((${CHURN_SECONDS:-600} / $#))
export ASAN_OPTIONS=${ASAN_OPTIONS:-quarantine_size_mb=4}
say "seed $SEED, $each s for each of $# servers"

report() {
	local key
	for key in connects assignments refused lost good_packets conflicts; do
		printf '  %s=%s' "$key" "$(sum $key)"
	done
	echo "  resident_kib=$(rss_kib)"
}

storm() {
	local left=$1
	while ((left > 0)); do
		together storm $((left < ROUND ? left : ROUND)) $ACT_MS
		check_addresses $CLIENTS_AT_ONCE
		together tally
		report
		left=$((left - ROUND))
	done
}

churn() {
	local threads descriptors memory
	SRV=$(realpath "$1")
	start_srv --idle-timeout 8 --stall-timeout 4 --client-queue 128 \
		--queue-memory 2
	threads=$(n_threads)
	descriptors=$(n_descriptors)
	start_crowd 0 --sources 250 --keepalive 1 --narrow 25
	together join $CLIENTS_AT_ONCE
	storm $((each < 50 ? each / 5 : 10))
	check_empty "$threads" "$descriptors"
	memory=$(rss_kib)
	together join $CLIENTS_AT_ONCE
	storm "$each"
	check_empty "$threads" "$descriptors"
	say "  at the end: $threads threads, $descriptors descriptors," \
		"$(rss_kib) KiB resident, before $memory KiB"
	(($(rss_kib) <= $(bound_kib "$memory"))) || fail "srv has grown"
	stop_crowds
	stop_srv
}

for server; do
	say "churn: $server"
	churn "$server"
done
