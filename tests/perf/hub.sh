# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # variables that the files share
# SPDX-License-Identifier: MIT
#
# The hub alone: srv without a TUN, over the loopback of S, under the load
# generator; and a TCP relay under the same load.

readonly HUB_KEYS="packets_per_s bits_per_s sent received lost corrupt \
	reordered duplicate ended idle_closed server_cpu_s"
readonly HUB_IDLE=${BENCH_IDLE:-10000}
readonly RELAY_IN=7101 RELAY_OUT=7102

# run_load CASE OPTION...: against what listens as $spawned.
run_load() {
	local name=$1 out=$RUN/load
	subject=$name
	shift
	if in_ns "$NS_S" "$BUILD/load" --seconds "$SECONDS_EACH" \
		--pid "$spawned" "$@" >"$out" 2>"$out.error" || [ -s "$out" ]
	then
		put_keys "" "$HUB_KEYS" <"$out"
	else
		put reason "$(head -n 1 "$out.error")"
		say "  left out: $(head -n 1 "$out.error")"
	fi
}

hub_case() {
	say "round $round: $1"
	topology_up
	spawn "$NS_S" "$SRV" --no-tun
	if [ -x "$SRV" ] && wait_for 5 is_listening "$NS_S" 2002; then
		run_load "$1" --server 127.0.0.1:2002 "${@:2}"
	else
		subject=$1
		put reason "srv does not listen"
	fi
	topology_down
}

relay_case() {
	say "round $round: $1"
	topology_up
	spawn "$NS_S" socat -b 262144 \
		"TCP-LISTEN:$RELAY_IN,bind=127.0.0.1,reuseaddr" \
		"TCP:127.0.0.1:$RELAY_OUT"
	wait_for 5 is_listening "$NS_S" $RELAY_IN
	run_load "$1" --server 127.0.0.1:$RELAY_IN --relay $RELAY_OUT "${@:2}"
	topology_down
}

hub_grid() {
	local size senders destinations
	for size in 1400 576 64; do
		for senders in 1 4; do
			for destinations in 1 64 1024; do
				hub_case "hub-$size-$senders-$destinations" \
					--size $size --senders $senders \
					--destinations $destinations
			done
		done
	done
}

# With many who are connected and say nothing.
hub_idle() {
	hub_case hub-idle-1400 --size 1400 --idle "$HUB_IDLE"
	hub_case hub-idle-64 --size 64 --idle "$HUB_IDLE"
}

# Two pairs at full speed beside others, paced, whose receivers read or do not.
# Both by turns: a few per cent are looked for.
hub_stalled() {
	local others pairs
	for others in 1 100 1 100 1 100; do
		pairs=(--pairs --senders $((2 + others))
			--destinations $((2 + others)) --paced "$others")
		hub_case hub-reading-$others "${pairs[@]}"
		hub_case hub-stalled-$others "${pairs[@]}" --stalled $others
	done
}

round_of_hub() {
	relay_case relay-1400 --size 1400
	relay_case relay-576 --size 576
	relay_case relay-64 --size 64
	hub_grid
	hub_idle
	hub_stalled
}
