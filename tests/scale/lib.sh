# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# What the tests of scale share: one srv on loopback without a TUN, crowds of
# clients led through pipes (crowd.c), and what /proc says of the server.
# Nothing here needs root.  Environment: SRV, CROWD, HOSTILE (programs), PORT.

set -u

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
SRV=$(realpath -m "${SRV:-$TOP/srv}")
CROWD=$(realpath -m "${CROWD:-$TOP/build/release/tests/scale/crowd}")
HOSTILE=$(realpath -m "${HOSTILE:-$TOP/build/release/tests/scale/hostile}")
PORT=${PORT:-24002}
HOST=127.0.0.1
SEED=${SEED:-1}

declare -a CROWD_PIDS=() TO=() FROM=() ANSWERS=() SRV_WITH=()
SRV_PID=
WORK=$(mktemp -d)
trap finish EXIT
trap 'exit 143' TERM
trap 'exit 130' INT

say() { printf '%s\n' "$*"; }

fail() {
	say "FAIL: $*"
	exit 1
}

skip() {
	say "SKIP: $*"
	exit 77
}

# What a sanitizer has said of srv; false: nothing.
complaint() {
	grep -hE -m 1 -A 30 'Sanitizer|runtime error:' "$WORK/srv.log" \
		2>/dev/null
}

finish() {
	local status=$? pid
	trap - EXIT
	for pid in "${CROWD_PIDS[@]}" $SRV_PID; do
		kill -KILL "$pid" 2>/dev/null && wait "$pid" 2>/dev/null
	done
	if ((status != 0 && status != 77)); then
		complaint || tail -n 20 "$WORK/srv.log" 2>/dev/null
	fi
	rm -rf "$WORK"
	exit "$status"
}

# --- waiting and arithmetic ---

# wait_for "what" SECONDS COMMAND...: poll until it succeeds.
wait_for() {
	local what=$1 end=$((SECONDS + $2))
	shift 2
	until "$@"; do
		((SECONDS < end)) || fail "waited in vain for: $what"
		sleep 0.1
	done
}

# calc FORMAT EXPRESSION
calc() { awk "BEGIN { printf \"$1\", $2 }"; }

boot_ms() { awk '{ printf "%d", $1 * 1000 }' /proc/uptime; }

# --- the server ---

is_listening() {
	local hex
	printf -v hex '0100007F:%04X 00000000:0000 0A' "$PORT"
	grep -q "$hex" /proc/net/tcp
}

# It says so when all its threads run.
serves() {
	grep -q 'srv: simplevpn .* port' "$WORK/srv.log" ||
		! kill -0 "$SRV_PID" 2>/dev/null
}

start_srv() {
	is_listening && fail "port $PORT is in use; set PORT"
	launch_srv "$@"
	wait_for "srv to listen" 20 serves
	kill -0 "$SRV_PID" 2>/dev/null || fail "srv ended at once"
}

# The pipes to crowds that run already are not for it.
launch_srv() {
	: >"$WORK/srv.log"
	(
		for fd in "${TO[@]}" "${FROM[@]}"; do
			exec {fd}>&-
		done
		exec env "${SRV_WITH[@]}" "$SRV" --no-tun -l $HOST -p "$PORT" \
			"$@"
	) </dev/null >>"$WORK/srv.log" 2>&1 &
	SRV_PID=$!
}

# stop_srv: it has to end with 0, and no sanitizer may have complained.
stop_srv() {
	local status
	kill -TERM "$SRV_PID"
	wait "$SRV_PID"
	status=$?
	SRV_PID=
	! grep -qE 'Sanitizer|runtime error:' "$WORK/srv.log" ||
		fail "a sanitizer complains"
	((status == 0)) || fail "srv ended with status $status"
}

status_kib() { awk -v key="$1:" '$1 == key { print $2 }' "/proc/$SRV_PID/status"; }
rss_kib() { status_kib VmRSS; }
pss_kib() { awk '$1 == "Pss:" { print $2 }' "/proc/$SRV_PID/smaps_rollup"; }
n_threads() { status_kib Threads; }
n_descriptors() { find "/proc/$SRV_PID/fd" -type l 2>/dev/null | wc -l; }

# Ticks of processor time, user and system.
cpu_ticks() {
	awk '{ sub(".*[)] ", ""); print $12 + $13 }' "/proc/$SRV_PID/stat"
}

# The server's own word, on SIGUSR1: how many addresses are HELD.  Its log is a ring that
# may be full, so it is asked until it answers.
ask_server() {
	local try i line before
	for ((try = 0; try < 10; try++)); do
		before=$(grep -c addresses_held= "$WORK/srv.log")
		kill -USR1 "$SRV_PID" || fail "srv is gone"
		for ((i = 0; i < 20; i++)); do
			sleep 0.1
			(($(grep -c addresses_held= "$WORK/srv.log") > before)) ||
				continue
			line=$(grep addresses_held= "$WORK/srv.log" | tail -n 1)
			HELD=$(word addresses_held "$line")
			return
		done
	done
	fail "srv does not print its counters"
}

holds() {
	ask_server
	((HELD == $1))
}

has_threads() { (($(n_threads) == $1)); }
has_descriptors() { (($(n_descriptors) == $1)); }

# --- crowds ---

# start_crowd NUMBER [OPTION...]
start_crowd() {
	local n=$1 to from
	shift
	mkfifo "$WORK/to.$n" "$WORK/from.$n"
	exec {to}<>"$WORK/to.$n" {from}<>"$WORK/from.$n"
	TO[n]=$to
	FROM[n]=$from
	"$CROWD" --process "$n" --seed "$SEED" "$@" "$WORK/ledger" $HOST "$PORT" \
		<"$WORK/to.$n" >"$WORK/from.$n" 2>"$WORK/crowd.$n.log" &
	CROWD_PIDS[n]=$!
}

# tell NUMBER COMMAND...
tell() { echo "${*:2}" >&"${TO[$1]}"; }

# heed NUMBER: its answer, in ANSWERS; true if all is well.
heed() {
	local line='' part
	until read -r -t 5 part <&"${FROM[$1]}"; do
		line+=$part
		kill -0 "${CROWD_PIDS[$1]}" 2>/dev/null ||
			fail "crowd $1 is gone: $(cat "$WORK/crowd.$1.log")"
	done
	line+=$part
	ANSWERS[$1]=$line
	[[ $line == *' ok' ]]
}

# together COMMAND...: all crowds at once; all have to succeed.
together() {
	local n
	for n in "${!TO[@]}"; do
		tell "$n" "$@"
	done
	for n in "${!TO[@]}"; do
		heed "$n" || fail_crowd "$n"
	done
}

fail_crowd() {
	if kill -0 "$SRV_PID" 2>/dev/null; then
		fail "crowd $1: ${ANSWERS[$1]}"
	else
		fail "srv is gone; crowd $1: ${ANSWERS[$1]}"
	fi
}

stop_crowds() {
	local n to from
	for n in "${!TO[@]}"; do
		kill "${CROWD_PIDS[$n]}" 2>/dev/null
		wait "${CROWD_PIDS[$n]}" 2>/dev/null
		to=${TO[n]} from=${FROM[n]}
		exec {to}>&- {from}>&-
		rm -f "$WORK/to.$n" "$WORK/from.$n"
	done
	TO=() FROM=() CROWD_PIDS=()
	rm -f "$WORK/ledger"
}

# word KEY LINE: the value of KEY=...
word() {
	local value=" $2"
	[[ $value == *" $1="* ]] || return 1
	value=${value#*" $1="}
	printf '%s' "${value%% *}"
}

# sum KEY, least KEY, most KEY: over the last answers of all crowds.
fold() {
	local key=$1 n
	for n in "${!TO[@]}"; do
		word "$key" "${ANSWERS[$n]}"
		echo
	done | awk -v how="$2" '
		NR == 1 { least = most = $1 }
		{ sum += $1 }
		$1 < least { least = $1 }
		$1 > most { most = $1 }
		END {
			n = most
			if (how == "sum") n = sum
			if (how == "least") n = least
			printf "%.0f", n
		}'
}

sum() { fold "$1" sum; }
least() { fold "$1" least; }
most() { fold "$1" most; }

# What the clients and the server believe has to agree: so many addresses.
check_addresses() {
	together verify
	tell 0 claims
	heed 0
	ask_server
	(($(word claims "${ANSWERS[0]}") == $1)) ||
		fail "clients claim ${ANSWERS[0]}, expected $1"
	((HELD == $1)) || fail "srv holds $HELD addresses, expected $1"
}

# Everybody leaves; srv is back to so many threads and descriptors.
check_empty() {
	local threads=$1 descriptors=$2
	together leave
	wait_for "no address to be held" 60 holds 0
	wait_for "$threads threads" 60 has_threads "$threads"
	wait_for "$descriptors descriptors" 60 has_descriptors "$descriptors"
}
