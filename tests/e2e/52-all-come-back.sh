#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The server is killed under many clients that ask for what they had, after
# waits as cli has them: all are back within ten seconds, each with its address,
# and can reach each other.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/faults.sh
. "$(dirname "$0")/faults.sh"

N=20
declare -a address due bound

# An attempt of each client whose wait is over.  True: all are back.
attempts() {
	local i missing=0
	for ((i = 0; i < N; i++)); do
		((due[i] >= 0)) || continue
		((missing++))
		now_ms
		((REPLY >= due[i])) || continue
		if raw_try "back$i" join "${address[i]}"; then
			due[i]=-1
			continue
		fi
		raw_do "back$i" close
		# Evenly from the upper half of a bound that doubles.
		now_ms
		due[i]=$((REPLY + bound[i] / 2 + RANDOM % (bound[i] / 2)))
		bound[i]=$((bound[i] < 15000 ? bound[i] * 2 : 30000))
	done
	((missing == 0))
}

RANDOM=$SEED
set_up 2
start_srv
for ((i = 0; i < N; i++)); do
	raw_start "back$i" c$((i % 2 + 1))
	raw_join "back$i"
	address[i]=$REPLY
	raw_do "back$i" keepalive
	bound[i]=500
done
stop srv KILL
((STATUS == 137)) || fail "srv ended with status $STATUS"
for ((i = 0; i < N; i++)); do
	raw_do "back$i" expect-eof
	now_ms
	due[i]=$((REPLY + 250 + RANDOM % 250))
done
attempts && fail "there is no server to be back at"
start_srv
now_ms
start=$REPLY
BOUND=10 wait_for "all clients to be back" attempts
now_ms
say "all $N are back $((REPLY - start)) ms after the server"
for ((i = 0; i < N; i++)); do
	raw_do "back$i" keepalive
	raw_do "back$i" udp me "${address[(i + 1) % N]}" 100
	raw_do "back$(((i + 1) % N))" expect-udp "${address[i]}" me 100
done
