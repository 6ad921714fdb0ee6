#!/bin/bash
# SPDX-License-Identifier: MIT
#
# How large a hub gets: thousands of clients at once, what each costs, traffic
# among a thousand, a million addresses assigned, and a server that dies under
# thousands of clients.  Prints a table and writes it to a file.
#
#	tests/scale/scale.sh [FILE]
#
# Environment: SCALE_CLIENTS (15000), SCALE_ASSIGNMENTS (1000000),
# SCALE_RESTART (5000), SCALE_TRAFFIC (1000).  Ends with 1 if an address had two
# owners or was lost, or a packet came damaged, and with 0 otherwise: whether a
# figure was reached is in the table.

# shellcheck source=tests/scale/lib.sh
. "$(dirname "$0")/lib.sh"

OUT=${1:-}
N=${SCALE_CLIENTS:-15000}
N_ASSIGNMENTS=${SCALE_ASSIGNMENTS:-1000000}
N_RESTART=${SCALE_RESTART:-5000}
N_TRAFFIC=${SCALE_TRAFFIC:-1000}
PROCESSES=3
IDLE_SECONDS=30	# two keepalives of each client
TRAFFIC_SECONDS=5
PACKET_LEN=1400
CHURNERS=500		# of each of two processes
SUPERVISOR_S=1		# from the death of srv to its new start
BACK_MS=10000
declare -a ROWS=()

row() { # WHAT FIGURE AIM
	ROWS+=("| $1 | $2 | $3 |")
	say "  $1: $2"
}

check_machine() {
	local limit
	limit=$(ulimit -Hn)
	[[ $limit == unlimited ]] || ((limit > N + 100)) ||
		skip "the limit of open files is $limit (ulimit -Hn)"
	limit=$(</proc/sys/kernel/threads-max)
	((limit > N + 1000)) || skip "kernel.threads-max is $limit"
	limit=$(</proc/sys/kernel/pid_max)
	((limit > N + 1000)) || skip "kernel.pid_max is $limit"
	# Stack, its guard page and the buffer of each client's thread.
	limit=$(</proc/sys/vm/max_map_count)
	((limit > 3 * N + 200)) || skip "vm.max_map_count is $limit"
}

start_crowds() {
	local n
	for ((n = 0; n < $1; n++)); do
		start_crowd "$n"
	done
}

# --- everybody joins, and is idle ---

join_all() {
	local ms
	together join $((N / PROCESSES))
	ms=$(($(most end_ms) - $(least begin_ms)))
	row "clients at once, half of them base clients, a quarter with static addresses" \
		"$(sum joined)" "15,000 or more"
	row "join rate, connection to address" \
		"$(calc %.0f "$(sum joined) * 1000 / $ms") a second" "over 2,000"
}

# Shared pages of the program and its libraries are in both figures' base.
measure_memory() {
	local per=$((N / PROCESSES * PROCESSES))
	row "resident memory of each client (VmRSS)" \
		"$(calc %.1f "($(rss_kib) - $base_rss) / $per") KiB" \
		"16 KiB or less"
	row "the same, proportional set size" \
		"$(calc %.1f "($(pss_kib) - $base_pss) / $per") KiB" ""
	row "page tables of each client, in the kernel" \
		"$(calc %.1f "$(status_kib VmPTE) / $per") KiB" ""
}

measure_idle() {
	local ticks hz
	hz=$(getconf CLK_TCK)
	ticks=$(cpu_ticks)
	together serve $((IDLE_SECONDS * 1000))
	ticks=$(($(cpu_ticks) - ticks))
	row "processor time while all keep alive ($(calc %.0f \
		"$(sum keepalives) / $IDLE_SECONDS") keepalives a second)" \
		"$(calc %.1f "100 * $ticks / $hz / $IDLE_SECONDS") % of a core" \
		"under 3 %"
}

# --- traffic ---

# traffic SENDERS FAN: among so many of the first two processes; RATE and LOST.
traffic() {
	local n
	for n in 0 1; do
		tell $n enlist $(($1 / 2)) 2
		heed $n || fail_crowd $n
	done
	for n in 0 1; do
		tell $n traffic $TRAFFIC_SECONDS $PACKET_LEN "$1" "$2"
	done
	tell 2 serve $((TRAFFIC_SECONDS * 1000 + 2000))
	for n in 0 1 2; do
		heed $n || fail_crowd $n
	done
	RATE=$(calc %.2f "8e-6 * ($(word bytes "${ANSWERS[0]}") / \
		$(word ms "${ANSWERS[0]}") + $(word bytes "${ANSWERS[1]}") / \
		$(word ms "${ANSWERS[1]}"))")
	LOST=$(calc %.2f "100 * (1 - ($(word all_good "${ANSWERS[0]}") + \
		$(word all_good "${ANSWERS[1]}")) / \
		($(word all_sent "${ANSWERS[0]}") + \
		$(word all_sent "${ANSWERS[1]}")))")
}

measure_traffic() {
	local two
	traffic 2 1
	two=$RATE
	row "forwarding between two clients, $PACKET_LEN-byte packets, all others idle" \
		"$two Gbit/s, $LOST % lost" ""
	traffic "$N_TRAFFIC" 1
	row "forwarding among $N_TRAFFIC clients, each to one other" \
		"$RATE Gbit/s ($(calc %.0f "100 * $RATE / $two") % of that), $LOST % lost" ""
	traffic "$N_TRAFFIC" 8
	row "the same, each to eight others in turn" \
		"$RATE Gbit/s ($(calc %.0f "100 * $RATE / $two") %), $LOST % lost" ""
	together tally
}

crowd_at_once() {
	check_machine
	start_srv
	threads=$(n_threads)
	descriptors=$(n_descriptors)
	base_rss=$(rss_kib)
	base_pss=$(pss_kib)
	start_crowds $PROCESSES
	join_all
	check_addresses $((N / PROCESSES * PROCESSES))
	measure_memory
	measure_idle
	measure_traffic
	check_addresses $((N / PROCESSES * PROCESSES))
	check_empty "$threads" "$descriptors"
	row "resident memory when all have left, before they came" \
		"$(rss_kib) KiB, $base_rss KiB" ""
	stop_crowds
}

# --- addresses change hands ---

churn_addresses() {
	local memory
	start_crowds 2
	together join $CHURNERS
	together churn $((N_ASSIGNMENTS / 100))
	memory=$(rss_kib)
	together churn $((N_ASSIGNMENTS / 2))
	row "addresses assigned by requests, moves and reconnects of $((2 * CHURNERS)) clients" \
		"$(sum assignments), $(calc %.0f \
		"1000 * $(sum assignments) / $(most ms)") a second" "1,000,000"
	row "of these: reconnects; refused, as somebody else had the address" \
		"$(sum connects); $(sum refused)" ""
	row "addresses that two clients had at once" "$(sum conflicts)" "0"
	: >"$WORK/srv.log"
	check_addresses $((2 * CHURNERS))
	together tally
	row "growth of resident memory over these" \
		"$(($(rss_kib) - memory)) KiB" ""
	check_empty "$threads" "$descriptors"
	row "addresses still held when all have left" "$HELD" "0"
	stop_crowds
	stop_srv
}

# --- the server dies ---

kill_server() {
	local died_ms back
	# Afresh, so that dynamic addresses keep clear of the static ones.
	start_srv
	start_crowds 2
	together join $((N_RESTART / 2))
	together serve 11000	# cli counts a connection as stable after 10 s
	together watch
	kill -KILL "$SRV_PID"
	died_ms=$(boot_ms)
	wait "$SRV_PID" 2>/dev/null
	tell_all back "$died_ms" $BACK_MS $((BACK_MS + 5000))
	sleep $SUPERVISOR_S
	launch_srv
	heed_all
	back=$(sum in_time)
	row "kill -9 of srv with $(sum lost) clients, a new one after $SUPERVISOR_S s: back with the same address within 10 s" \
		"$(calc %.2f "100 * $back / $(sum lost)") %" "99 %"
	row "the same, half of them, 99 %, the last after" \
		"$(calc %.1f "$(most p50_ms) / 1000") s, $(calc %.1f \
		"$(most p99_ms) / 1000") s, $(calc %.1f \
		"$(most max_ms) / 1000") s" ""
	check_addresses $((N_RESTART / 2 * 2))
	check_empty "$threads" "$descriptors"
	stop_crowds
	stop_srv
}

tell_all() {
	local n
	for n in "${!TO[@]}"; do
		tell "$n" "$@"
	done
}

heed_all() {
	local n
	for n in "${!TO[@]}"; do
		heed "$n" || fail_crowd "$n"
	done
}

table() {
	cat <<-END
		# Scale

		What \`make scale\` measured: \`srv --no-tun\` with no other option,
		clients on loopback from $PROCESSES processes of the load generator
		(tests/scale/crowd.c), which speak the protocol with cli's own state
		machines, from 16 source addresses each, and check every packet's
		header, order and payload. Generator and server share the machine.

		$(uname -sr), $(nproc) processors, $(awk '/^MemTotal/ {
			printf "%.0f GiB", $2 / 1048576 }' /proc/meminfo) of memory.

		| what | figure | aim |
		| --- | --- | --- |
	END
	printf '%s\n' "${ROWS[@]}"
}

say "scale: $N clients"
crowd_at_once
churn_addresses
kill_server
if [[ -n $OUT ]]; then
	table >"$OUT"
	say "written to $OUT"
fi
