# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# What every end-to-end script stands on: network namespaces, programs started
# with a recorded process id, waiting for conditions, and cleaning up.
#
#    namespace c1                       namespace s, the gateway
#   +------------------+   veth   +-----------------------------------+
#   | eth0 192.0.2.11  |----------|  br0 192.0.2.1         srv        |
#   | tun0 (cli)       |          |                        |          |
#   +------------------+     +----|                       tun0        |
#    namespace c2            |    |                     10.0.0.1/16   |
#   +------------------+     |    |                                   |
#   | eth0 192.0.2.12  |-----+    |  lan0 198.51.100.1 (add_lan)      |
#   | tun0 (cli)       |          +------|----------------------------+
#   +------------------+           +-----|--------------------+
#         ...                      |  eth0 198.51.100.2       |
#                                  +--------------------------+
#                                   namespace lan
#
# Names carry the process id, so that several runs can stand side by side.
# Environment: SRV, CLI, DEVICE, RAW, BASESERVER, NAMESERVER (programs),
# WAIT_SCALE (slower builds wait longer), RUN_TAG (first part of the namespaces'
# names).

set -u

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
SRV=$(realpath -m "${SRV:-$TOP/srv}")
CLI=$(realpath -m "${CLI:-$TOP/cli}")
DEVICE=$(realpath -m "${DEVICE:-$TOP/device}")
RAW=$(realpath -m "${RAW:-$TOP/build/release/tests/tools/raw}")
BASESERVER=$(realpath -m "${BASESERVER:-$TOP/build/release/tests/tools/baseserver}")
NAMESERVER=$(realpath -m "${NAMESERVER:-$TOP/build/release/tests/tools/nameserver}")
WAIT_SCALE=${WAIT_SCALE:-1}
PREFIX=${RUN_TAG:-svpn}-$$
SERVER=192.0.2.1	# the gateway's address on the transport network
HUB=10.0.0.1		# its address in the tunnel
WORLD=198.51.100.2	# a host beyond it (add_world)
export WAIT_SCALE HUB

declare -A PID=() LOG=() TO=() FROM=()
declare -a NAMESPACES=() SRV_WRAP=() CLI_WRAP=()
WORK=
FINISHING=

say() { printf '%s\n' "$*"; }

# While cleaning up, a failure is said but does not stop the cleaning.
fail() {
	say "FAIL: $*"
	[[ -n $FINISHING ]] || exit 1
	return 1
}

skip() {
	say "SKIP: $*"
	exit 77
}

# --- waiting ---

now_ms() { REPLY=$((${EPOCHREALTIME/[.,]/} / 1000)); }

# wait_for "what is waited for" COMMAND...: poll until it succeeds.
wait_for() {
	local what=$1 deadline
	shift
	now_ms
	deadline=$((REPLY + ${BOUND:-20} * 1000 * WAIT_SCALE))
	until "$@"; do
		now_ms
		if ((REPLY >= deadline)); then
			fail "waited in vain for: $what"
			return 1
		fi
		sleep 0.05
	done
}

not() { ! "$@"; }

# --- namespaces ---

ns() {
	local name=$1
	shift
	ip netns exec "$PREFIX-$name" "$@"
}

add_namespace() {
	ip netns add "$PREFIX-$1" || fail "cannot add a namespace"
	NAMESPACES+=("$PREFIX-$1")
	ip -n "$PREFIX-$1" link set lo up
}

add_client_namespace() {
	local name=c$1
	add_namespace "$name"
	ip -n "$PREFIX-s" link add "v$1" type veth peer name eth0 \
		netns "$PREFIX-$name"
	ip -n "$PREFIX-s" link set "v$1" master br0 up
	ip -n "$PREFIX-$name" addr add "192.0.2.$((10 + $1))/24" dev eth0
	ip -n "$PREFIX-$name" link set eth0 up
}

# set_up N: the gateway and N client namespaces, as drawn above.
set_up() {
	local i
	(($(id -u) == 0)) || skip "needs root for network namespaces"
	[[ -c /dev/net/tun ]] || skip "there is no /dev/net/tun"
	WORK=$(mktemp -d)
	trap finish EXIT
	trap 'exit 143' TERM
	trap 'exit 130' INT
	ip netns add "$PREFIX-probe" 2>"$WORK/probe" ||
		skip "network namespaces: $(<"$WORK/probe")"
	ip netns del "$PREFIX-probe"
	add_namespace s
	ip -n "$PREFIX-s" link add br0 type bridge ||
		skip "the kernel has no bridge"
	ip -n "$PREFIX-s" addr add $SERVER/24 dev br0
	ip -n "$PREFIX-s" link set br0 up
	for ((i = 1; i <= $1; i++)); do
		add_client_namespace "$i"
	done
}

# A network behind the gateway, which routes to it.
add_lan() {
	add_namespace lan
	ip -n "$PREFIX-s" link add lan0 type veth peer name eth0 \
		netns "$PREFIX-lan"
	ip -n "$PREFIX-s" addr add 198.51.100.1/24 dev lan0
	ip -n "$PREFIX-s" link set lan0 up
	ip -n "$PREFIX-lan" addr add 198.51.100.2/24 dev eth0
	ip -n "$PREFIX-lan" link set eth0 up
	ip -n "$PREFIX-lan" route add default via 198.51.100.1
	ns s sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
}

# The world beyond the gateway, which knows nothing of the tunnel's network.  The
# gateway's side has a smaller MTU.
add_world() {
	add_namespace world
	ip -n "$PREFIX-s" link add up0 type veth peer name eth0 \
		netns "$PREFIX-world"
	ip -n "$PREFIX-s" addr add 198.51.100.1/24 dev up0
	ip -n "$PREFIX-s" link set up0 up mtu 1400
	ip -n "$PREFIX-world" addr add $WORLD/24 dev eth0
	ip -n "$PREFIX-world" link set eth0 up
}

forwarding() { ns s cat /proc/sys/net/ipv4/ip_forward; }

# The names of the gateway's tables that are ours, in REPLY.
nat_tables() {
	REPLY=$(ns s nft list tables | sed -n 's/^table ip \(simplevpn\)/\1/p' |
		sort | tr '\n' ' ')
}

# --- programs ---

# start NAME NAMESPACE COMMAND...: in the background, output to its log.
start() {
	local name=$1 where=$2
	shift 2
	LOG[$name]=$WORK/$name.log
	ip netns exec "$PREFIX-$where" "$@" >>"${LOG[$name]}" 2>&1 <&0 &
	PID[$name]=$!
}

ended() {
	local stat
	read -r stat 2>/dev/null <"/proc/$1/stat" || return 0
	[[ $stat == *") Z "* ]]
}

# stop NAME [SIGNAL]: end it; its exit status is in STATUS afterwards.
stop() {
	local pid=${PID[$1]}
	kill "-${2:-TERM}" "$pid" 2>/dev/null
	wait_end "$1"
}

wait_end() {
	local pid=${PID[$1]}
	wait_for "the end of $1" ended "$pid" || kill -KILL "$pid"
	wait "$pid" 2>/dev/null
	STATUS=$?
	unset "PID[$1]"
}

log_has() { grep -qE -e "$2" "${LOG[$1]}"; }

listens() { # PID PORT
	local hex
	printf -v hex ':%04X ' "$2"
	grep -qE "$hex.* 0A " "/proc/$1/net/tcp" "/proc/$1/net/tcp6" 2>/dev/null
}

# start_srv [OPTION...]: and wait until it serves.  SRV_WRAP goes in front, and
# its control socket is $WORK/srv.sock: control COMMAND... asks it.
start_srv() {
	start srv s "${SRV_WRAP[@]}" "$SRV" --control "$WORK/srv.sock" "$@" \
		</dev/null
	wait_for "srv to listen" srv_listens_or_ended
	ended "${PID[srv]}" && fail "srv ended at once"
}

control() { timeout 60 "$SRV" "$1" -S "$WORK/srv.sock" "${@:2}"; }

srv_listens_or_ended() {
	listens "${PID[srv]}" "${PORT:-2002}" || ended "${PID[srv]}"
}

# start_cli N [OPTION...]: in namespace cN, with the server's address.  CLI_WRAP
# goes in front.
start_cli() {
	local n=$1
	shift
	start "cli$n" "c$n" "${CLI_WRAP[@]}" "$CLI" -s "$SERVER" "$@" </dev/null
}

# private N: from now on start_cli runs in a mount namespace in which /etc, /run
# and /usr/local/bin are $WORK/etcN, runN and binN: what it changes there is
# seen there, and the machine's own files are out of its reach.  /etc has what
# a program needs, and a resolv.conf of one line.
private() {
	local n=$1 file
	mkdir "$WORK/etc$n" "$WORK/run$n" "$WORK/bin$n"
	for file in passwd group ld.so.cache resolvconf.conf alternatives \
		nftables.conf; do
		[[ ! -e /etc/$file ]] || cp -a "/etc/$file" "$WORK/etc$n/"
	done
	echo 'hosts: files dns' >"$WORK/etc$n/nsswitch.conf"
	echo '127.0.0.1 localhost' >"$WORK/etc$n/hosts"
	echo 'nameserver 192.0.2.1' >"$WORK/etc$n/resolv.conf"
	cat >"$WORK/private$n" <<-END
		#!/bin/sh
		mount --bind "$WORK/bin$n" /usr/local/bin || exit 1
		mount --bind "$WORK/etc$n" /etc || exit 1
		mount --bind "$WORK/run$n" /run || exit 1
		exec "\$@"
	END
	chmod +x "$WORK/private$n"
	CLI_WRAP=("$WORK/private$n")
}

# without PROGRAM N: a client made private does not find it.
without() {
	local path
	for path in /sbin /usr/sbin /bin /usr/bin; do
		[[ ! -e $path/$1 ]] ||
			sed -i "2i mount --bind /dev/null $path/$1" "$WORK/private$2"
	done
}

# The tunnel address in namespace $1, in REPLY.
tunnel_address() {
	REPLY=$(ip -n "$PREFIX-$1" -4 -o addr show dev "${2:-tun0}" 2>/dev/null |
		awk '{ sub("/.*", "", $4); print $4; exit }')
	[[ -n $REPLY ]]
}

has_address() { tunnel_address "$1" && [[ $REPLY == "$2" ]]; }

# wait_joined N [ADDRESS]: until cN has a tunnel address (this one), in REPLY.
wait_joined() {
	if (($# > 1)); then
		wait_for "c$1 to have $2" has_address "c$1" "$2"
	else
		wait_for "c$1 to have an address" tunnel_address "c$1"
	fi
}

can_ping() { # NAMESPACE ADDRESS
	ns "$1" ping -q -c 1 -W "$WAIT_SCALE" "$2" >/dev/null
}

wait_ping() { wait_for "ping from $1 to $2" can_ping "$1" "$2"; }

# --- base clients, led step by step (tests/tools/raw.c) ---

raw() { # NAMESPACE SCRIPT: all at once
	ns "$1" "$RAW" $SERVER "${PORT:-2002}" "$2"
}

raw_start() { # NAME NAMESPACE
	local to from
	mkfifo "$WORK/$1.to" "$WORK/$1.from"
	exec {to}<>"$WORK/$1.to" {from}<>"$WORK/$1.from"
	TO[$1]=$to
	FROM[$1]=$from
	LOG[$1]=$WORK/$1.log
	ip netns exec "$PREFIX-$2" "$RAW" $SERVER "${PORT:-2002}" - \
		<"$WORK/$1.to" >"$WORK/$1.from" 2>"${LOG[$1]}" &
	PID[$1]=$!
}

# raw_try NAME COMMAND...: true if it worked; what it printed is in REPLY.
raw_try() {
	local name=$1 line output=
	shift
	echo "$*" >&"${TO[$name]}"
	echo "> $*" >>"${LOG[$name]}"
	while read -r -t $((60 * WAIT_SCALE)) line <&"${FROM[$name]}"; do
		echo "$line" >>"${LOG[$name]}"
		case $line in
		ok | failed:*) break ;;
		esac
		output+=${output:+$'\n'}$line
	done
	REPLY=${output:-$line}
	[[ $line == ok ]]
}

# raw_do: the same, and the test fails if it did not work.
raw_do() { raw_try "$@" || fail "base client $1: '${*:2}': $REPLY"; }

# raw_tell: for commands that do not end by themselves.
raw_tell() { echo "${*:2}" >&"${TO[$1]}"; }

# Join, and keep the address in REPLY.
raw_join() {
	raw_do "$1" join "${2:-dynamic}"
	REPLY=${REPLY#address }
}

# --- the server's counters ---

# drop_count REASON: how many of them the server has counted, in REPLY.  It
# prints its counters on SIGUSR1, the sums as "srv: total: ...".  The first line
# of a second print tells that the first one is complete.
drop_count() {
	print_counters
	print_counters
	REPLY=$(awk -v key="$1" '
		$2 == "total:" && $3 == "drop" && split($4, word, "=") &&
		    word[1] == key { n = word[2] }
		END { print n + 0 }' "${LOG[srv]}")
}

print_counters() {
	local before
	before=$(grep -c 'srv: total: rx_' "${LOG[srv]}")
	kill -USR1 "${PID[srv]}"
	wait_for "the server's counters" counters_printed "$before"
}

counters_printed() {
	(($(grep -c 'srv: total: rx_' "${LOG[srv]}") > $1))
}

dropped_at_least() { drop_count "$1" && ((REPLY >= $2)); }

wait_dropped() { # REASON N
	wait_for "$2 drops counted as $1" dropped_at_least "$1" "$2"
}

# --- data ---

# receive NAME NAMESPACE PORT FILE: one TCP connection into a file.
receive() {
	start "$1" "$2" socat -u "TCP4-LISTEN:$3,reuseaddr" "CREATE:$4" \
		</dev/null
	wait_for "the receiver to listen" listens "${PID[$1]}" "$3"
}

# transfer FROM TO ADDRESS BYTES: TCP, compared by hash.
transfer() {
	local sent got
	head -c "$4" /dev/urandom >"$WORK/sent"
	sent=$(sha256sum <"$WORK/sent")
	rm -f "$WORK/got"
	receive receiver "$2" 5001 "$WORK/got"
	ns "$1" timeout $((60 * WAIT_SCALE)) \
		socat -u OPEN:"$WORK/sent" "TCP4:$3:5001" ||
		fail "transfer from $1 to $3 broke off"
	wait_end receiver
	got=$(sha256sum <"$WORK/got")
	[[ $sent == "$got" ]] || fail "what came from $1 to $3 is not what was sent"
	say "transfer $1 -> $3: $4 bytes, hash equal"
}

# --- the end ---

show_logs() {
	local name
	for name in "${!LOG[@]}"; do
		say "--- $name"
		tail -n 40 "${LOG[$name]}"
	done
}

complaints() {
	grep -lE 'Sanitizer|runtime error:' "$WORK"/*.log 2>/dev/null
}

# Programs that still run after a good test are asked to end, and have to end
# well; all others are killed.
end_programs() {
	local name bad=0
	for name in "${!PID[@]}"; do
		if [[ $1 == 0 && $name =~ ^(srv|cli) ]]; then
			stop "$name"
			((STATUS == 0)) && continue
			say "FAIL: $name ended with status $STATUS"
			bad=1
		else
			kill -KILL "${PID[$name]}" 2>/dev/null
			wait "${PID[$name]}" 2>/dev/null
		fi
	done
	return $bad
}

finish() {
	local status=$?
	FINISHING=yes
	trap '' TERM INT
	end_programs "$status" || status=1
	if [[ -n $(complaints) ]]; then
		say "FAIL: a sanitizer complains"
		grep -hE -A12 'Sanitizer|runtime error:' "$WORK"/*.log | head -60
		((status == 77)) || status=1
	fi
	((status == 0 || status == 77)) || show_logs
	clean_up
	trap - EXIT
	exit "$status"
}

clean_up() {
	local namespace pids
	for namespace in "${NAMESPACES[@]}"; do
		pids=$(ip netns pids "$namespace" 2>/dev/null)
		# shellcheck disable=SC2086 # several process ids
		[[ -z $pids ]] || kill -KILL $pids 2>/dev/null
		ip netns del "$namespace"
	done
	[[ -z $WORK ]] || rm -rf "$WORK"
}
