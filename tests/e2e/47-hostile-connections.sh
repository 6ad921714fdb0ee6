#!/bin/bash
# SPDX-License-Identifier: MIT
#
# 10,000 connections of random bytes, from as many addresses, half of them
# after a good request, end in every way that there is.  Meanwhile clients
# exchange hashed packets and lose none; afterwards nothing is left of them.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/faults.sh
. "$(dirname "$0")/faults.sh"

N=${HOSTILE_N:-10000}

# Threads and descriptors of the server, in REPLY.
belongings() {
	local threads
	threads=$(awk '/^Threads/ { print $2 }' "/proc/${PID[srv]}/status")
	REPLY="$threads threads, $(find "/proc/${PID[srv]}/fd" -type l |
		wc -l) descriptors"
}

as_before() { belongings && [[ $REPLY == "$before" ]]; }

set_up 2
add_sources 1
start_srv
raw_start good c2
raw_join good 10.0.0.7
belongings
before=$REPLY
start paced c2 "$HASHED" hub $SERVER 2002 --clients 2 --flows 1 --rate 1000 \
	--seconds 600 --bytes 10G </dev/null
start garbage c1 "$HOSTILE" garbage $SERVER 2002 "$N" --sources 198.18.0.0 \
	"$N" </dev/null
BOUND=100 wait_end garbage
((STATUS == 0)) || fail "garbage: $(<"${LOG[garbage]}")"
value_of "${LOG[garbage]}" seconds
say "garbage: $N connections in $REPLY s"
value_of "${LOG[garbage]}" refused
((REPLY == 0)) || fail "$REPLY connections were not even made"
kill -INT "${PID[paced]}"
wait_end paced
cp "${LOG[paced]}" "$WORK/hashed"
((STATUS == 0)) || fail "hashed packets: $(tr '\n' ' ' <"$WORK/hashed")"
say_hashed
nothing_lost
raw_do good keepalive
wait_for "all of them to be gone ($before)" as_before
say "left: $REPLY"
