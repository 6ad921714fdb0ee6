# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # variables that the files share
# SPDX-License-Identifier: MIT
#
# The measurements from end to end: a client in A, a client in B, and between
# them whatever peers/*.sh set up.

readonly IPERF_PORT=5201 STREAM_PORT=5301 FLOOD_PORT=5401 ECHO_PORT=5501
readonly UDP_RATE=${BENCH_UDP_RATE:-1G}
readonly SMALL_LEN=64		# bytes of a small IP packet
readonly SMALL_BATCH=${BENCH_BATCH:-1}	# over 1: by sendmmsg

# The subjects in the order of the table; peers/*.sh add them by
# register NAME PARTS MEASURES PROGRAMS TITLE COMMAND...
# The command brings the subject up between A and B and sets address_a and
# address_b; where it cannot, it sets reason and fails.
subject_names=()
declare -A subject_parts subject_measures subject_programs subject_title \
	subject_command

register() {
	subject_names+=("$1")
	subject_parts[$1]=$2
	subject_measures[$1]=$3
	subject_programs[$1]=$4
	subject_title[$1]=$5
	subject_command[$1]="${*:6}"
}

find_programs() {
	local program
	for program in $1; do
		if ! command -v "$program" >/dev/null; then
			reason="$program is not installed"
			return 1
		fi
	done
}

subject_up() {
	reason='' address_a='' address_b=''
	find_programs "${subject_programs[$subject]}" || return 1
	topology_up
	[ -z "$congestion" ] || set_congestion_control "$congestion"
	# shellcheck disable=SC2086 # a function and its arguments
	${subject_command[$subject]} || return 1
	spawn "$NS_B" iperf3 -s -p $IPERF_PORT
	spawn "$NS_B" "$BUILD/rtt" echo 0.0.0.0 $ECHO_PORT
	wait_for 5 is_listening "$NS_B" $IPERF_PORT
	[ "$subject" = relay ] && return
	wait_for 10 in_ns "$NS_A" ping -q -c 1 -W 1 "$address_b" ||
		{ reason="no ping went through"; return 1; }
}

# iperf NAME OPTION...: its result in JSON on stdout.
iperf() {
	local out=$RUN/iperf.json
	timeout $((SECONDS_EACH + 20)) ip netns exec "$NS_A" iperf3 -J \
		-c "$address_b" -p $IPERF_PORT -t "$SECONDS_EACH" "$@" \
		>"$out" 2>/dev/null || true
	jq -e '.end | has("sum_received") or has("sum")' "$out" >/dev/null \
		2>&1 || return 1
	cat "$out"
}

# tcp METRIC STREAMS
tcp() {
	local cpu busy json inner=()
	[ -z "$congestion" ] || inner=(-C "$congestion")
	cpu=$(cpu_ticks "${vpn_roots[@]}")
	busy=$(busy_ticks)
	json=$(iperf -P "$2" "${inner[@]}") || { put "$1_failed" 1; return; }
	cpu=$(($(cpu_ticks "${vpn_roots[@]}") - cpu))
	busy=$(($(busy_ticks) - busy))
	put "$1_gbps" "$(jq '.end.sum_received.bits_per_second / 1e9' \
		<<<"$json")"
	put "$1_retransmits" "$(jq '.end.sum_sent.retransmits' <<<"$json")"
	put "$1_cpu_s_per_gb" "$(jq --argjson t "$cpu" --argjson hz "$HZ" \
		'$t / $hz / (.end.sum_received.bytes / 1e9)' <<<"$json")"
	put "$1_busy_s_per_gb" "$(jq --argjson t "$busy" --argjson hz "$HZ" \
		'$t / $hz / (.end.sum_received.bytes / 1e9)' <<<"$json")"
}

measure_tcp1() { tcp tcp1 1; }
measure_tcp4() { tcp tcp4 4; }

measure_udp() {
	local json
	json=$(iperf -u -b "$UDP_RATE" -l 1400 -w 4M) ||
		{ put udp_failed 1; return; }
	put udp_gbps "$(jq '.end.sum | .bits_per_second *
		(1 - .lost_percent / 100) / 1e9' <<<"$json")"
	put udp_lost_percent "$(jq .end.sum.lost_percent <<<"$json")"
}

measure_small() {
	local receiver sent received
	in_ns "$NS_B" "$BUILD/udpflood" receive 0.0.0.0 $FLOOD_PORT \
		$SMALL_LEN >"$RUN/flood" &
	receiver=$!
	wait_for 5 sh -c "ip netns exec $NS_B ss -Hlun \
		'sport = :$FLOOD_PORT' | grep -q ." || true
	sent=$(in_ns "$NS_A" "$BUILD/udpflood" send "$address_b" $FLOOD_PORT \
		$SMALL_LEN "$SECONDS_EACH" "$SMALL_BATCH" |
		sed -n 's/^sent=//p')
	wait "$receiver" || true
	received=$(sed -n 's/^received=//p' "$RUN/flood")
	put_keys small_ received_per_s corrupt late <"$RUN/flood"
	put small_lost_percent "$(awk -v s="$sent" -v r="$received" \
		'BEGIN { print s ? 100 * (s - r) / s : 0 }')"
}

measure_rtt() {
	in_ns "$NS_A" "$BUILD/rtt" measure "$address_b" $ECHO_PORT \
		2000 1000 15 | put_keys rtt_ p50_us p99_us lost corrupt
}

# Beside a bulk TCP flow in the same tunnel.
measure_loaded() {
	local bulk
	iperf -P 1 -t $((SECONDS_EACH + 2)) >/dev/null &
	bulk=$!
	sleep 1		# the flow finds its speed
	in_ns "$NS_A" "$BUILD/rtt" measure "$address_b" $ECHO_PORT \
		100000 1000 "$SECONDS_EACH" |
		put_keys loaded_ n p50_us p99_us lost corrupt
	wait "$bulk" || put loaded_failed 1
}

# Every byte of a TCP stream compared: iperf3 does not look at them.
measure_verify() {
	local receiver
	in_ns "$NS_B" "$BUILD/stream" receive 0.0.0.0 $STREAM_PORT \
		>"$RUN/stream" 2>&1 &
	receiver=$!
	wait_for 5 is_listening "$NS_B" $STREAM_PORT || true
	in_ns "$NS_A" "$BUILD/stream" send "$address_b" $STREAM_PORT \
		"$(((SECONDS_EACH + 2) / 3))" >/dev/null 2>&1 ||
		put verify_failed 1
	wait "$receiver" || put verify_failed 1
	put_keys verify_ received_bytes corrupt_words <"$RUN/stream"
}

measure_all() {
	local measure
	for measure in $1; do
		"measure_$measure"
	done
	put checksum_errors "$(checksum_errors)"
	put server_mib "$(($(resident_kib "${server_roots[@]}") / 1024))"
	put all_mib "$(($(resident_kib "${vpn_roots[@]}") / 1024))"
}

# run_subject NAME [MEASURES]
run_subject() {
	subject=$1
	[ -z "$congestion" ] || subject_alias "$1-$congestion" "$1"
	say "round $round:" \
		"${subject_title[$subject]}${congestion:+, $congestion}"
	if subject_up; then
		measure_all "${2:-${subject_measures[$subject]}}"
	else
		put reason "${reason:-it could not be set up}"
		say "  left out: ${reason:-it could not be set up}"
	fi
	topology_down
}

subject_alias() {
	subject=$1
	subject_measures[$1]=${subject_measures[$2]}
	subject_programs[$1]=${subject_programs[$2]}
	subject_title[$1]=${subject_title[$2]}
	subject_command[$1]=${subject_command[$2]}
}

# wanted PART NAME: BENCH_SUBJECTS may name some only.
wanted() {
	case " ${subject_parts[$2]} " in
	*" $1 "*) ;;
	*) return 1 ;;
	esac
	case " ${BENCH_SUBJECTS:-$2} " in
	*" $2 "*) ;;
	*) return 1 ;;
	esac
}

round_of() {
	local name
	for name in "${subject_names[@]}"; do
		if wanted "$1" "$name"; then
			run_subject "$name"
		fi
	done
}

# The main rows again, with one congestion control inside and outside.
round_of_congestion() {
	local name
	for congestion in cubic bbr; do
		for name in "${subject_names[@]}"; do
			if wanted congestion "$name"; then
				run_subject "$name" tcp1
			fi
		done
	done
	congestion=
}
