#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Hours of a server's life with the timers scaled down: 200 clients, of which
# ten a second leave or die and come back, and 5 % hostile connections.
#
# What has to hold is what churn.sh checks, in every round; and over the whole
# time the server's memory, descriptors and threads stay flat.  Environment:
# SOAK_SECONDS (3600), SEED.

# shellcheck source=tests/scale/lib.sh
. "$(dirname "$0")/lib.sh"

CLIENTS_AT_ONCE=200
N_HOSTILE=10
# An act in four ends a connection: 200 clients x 0.25 / 5 s = 10 a second.
ACT_MS=5000
SOAK_SECONDS=${SOAK_SECONDS:-3600}
ROUND=$((SOAK_SECONDS / 120))
((ROUND >= 15)) || ROUND=15
MAX_SLOPE=3072		# KiB of memory an hour, in a run of half an hour or
			# more; samples scatter by 1 to 2 MiB
MAX_DRIFT=3		# threads and descriptors: the hostile come and go

start_hostile() {
	"$HOSTILE" $HOST "$PORT" $N_HOSTILE $((SOAK_SECONDS * 2 + 600)) \
		"$SEED" >"$WORK/hostile.log" 2>&1 &
	HOSTILE_PID=$!
	CROWD_PIDS[99]=$HOSTILE_PID	# ended with the crowds
}

stop_hostile() {
	kill "$HOSTILE_PID"
	wait "$HOSTILE_PID" 2>/dev/null
	cat "$WORK/hostile.log"
	unset 'CROWD_PIDS[99]'
}

# A line of time, memory, threads, descriptors; printed too.
sample() {
	local line
	line="$((SECONDS - began)) $(rss_kib) $(n_threads) $(n_descriptors)"
	echo "$line" >>"$WORK/samples"
	# shellcheck disable=SC2086 # four words
	printf '  %6d s  %7d KiB  %4d threads  %4d descriptors' $line
	printf '  connects=%s good_packets=%s refused=%s\n' \
		"$(sum connects)" "$(sum good_packets)" "$(sum refused)"
}

# The clients' own addresses; hostile ones hold some more.
check_round() {
	together verify
	tell 0 claims
	heed 0
	(($(word claims "${ANSWERS[0]}") == CLIENTS_AT_ONCE)) ||
		fail "claims: ${ANSWERS[0]}"
	ask_server
	((HELD >= CLIENTS_AT_ONCE && HELD <= CLIENTS_AT_ONCE + 4 * N_HOSTILE)) ||
		fail "srv holds $HELD addresses"
	: >"$WORK/srv.log"
	together tally
}

# Slope of memory by least squares, from the second third on; means of threads
# and descriptors of the second and of the last third.
judge() {
	awk -v max_slope=$MAX_SLOPE -v max_drift=$MAX_DRIFT '
		{ t[NR] = $1; m[NR] = $2; th[NR] = $3; fd[NR] = $4 }
		function mean(of, from, to,    i, s) {
			for (i = from; i <= to; i++) s += of[i]
			return s / (to - from + 1)
		}
		END {
			if (NR < 6) { print "too short for a slope"; exit }
			a = int(NR / 3) + 1
			b = int(2 * NR / 3)
			mt = mean(t, a, NR); mm = mean(m, a, NR)
			for (i = a; i <= NR; i++) {
				xy += (t[i] - mt) * (m[i] - mm)
				xx += (t[i] - mt) ^ 2
			}
			slope = 3600 * xy / xx
			dth = mean(th, b + 1, NR) - mean(th, a, b)
			dfd = mean(fd, b + 1, NR) - mean(fd, a, b)
			printf "memory slope %.0f KiB/h, drift of threads " \
				"%.1f, of descriptors %.1f\n", slope, dth, dfd
			long = t[NR] - t[a] >= 1200
			exit (long && slope > max_slope) ||
				dth > max_drift || dfd > max_drift
		}' "$WORK/samples"
}

start_srv --idle-timeout 8 --stall-timeout 4 --client-queue 128 \
	--queue-memory 4
threads=$(n_threads)
descriptors=$(n_descriptors)
start_crowd 0 --sources 250 --keepalive 1 --narrow 10
start_hostile
say "seed $SEED, $SOAK_SECONDS s, $CLIENTS_AT_ONCE clients," \
	"$N_HOSTILE hostile"
together join $CLIENTS_AT_ONCE
began=$SECONDS
while ((SECONDS - began < SOAK_SECONDS)); do
	together storm $ROUND $ACT_MS
	check_round
	sample
done
judge || fail "not flat"
stop_hostile
check_empty "$threads" "$descriptors"
say "when all have left: $(rss_kib) KiB, $threads threads," \
	"$descriptors descriptors"
stop_crowds
stop_srv
