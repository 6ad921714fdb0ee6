# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # variables that the files share
# SPDX-License-Identifier: MIT
#
# What every part of the benchmark uses: the namespaces, the processes in them,
# and the file of results.
#
#        A                        S                        B
#   +---------+  198.18.1.0/24  +---------+  198.18.2.0/24  +---------+
#   |     .2 to_s -------------- to_a .1 .1 to_b ------------- to_s .2 |
#   +---------+                 +---------+                 +---------+
#     client                       server                      client
#
# The links are veth pairs with the kernel's default offloads; S forwards. They
# are made anew for each subject, so that nothing that one leaves behind (TCP
# metrics, routes, interfaces) is met by the next.
#
# A process is started by spawn or spawn_vpn, which record its id, and ended by
# topology_down, with whatever it started in the namespaces.

readonly NS_A="svb$$-a" NS_S="svb$$-s" NS_B="svb$$-b"
readonly S_FROM_A=198.18.1.1 S_FROM_B=198.18.2.1
readonly A_LINK=198.18.1.2 B_LINK=198.18.2.2

readonly BUILD=${BENCH_BUILD:-build/perf}
RUN=$(realpath -m "$BUILD")/run.$$
readonly RUN
readonly RESULTS=$BUILD/results.tsv
readonly ROUNDS=${BENCH_ROUNDS:-3}
readonly SECONDS_EACH=${BENCH_SECONDS:-5}

roots=()	# processes that were started here, in order
vpn_roots=()	# those of them that are the tunnel's
server_roots=()	# and those that are its server
spawned=''

say() {
	printf '%s\n' "$*" >&2
}

# put METRIC VALUE: a result of the current round and subject.
put() {
	printf '%s\t%s\t%s\t%s\n' "$round" "$subject" "$1" "$2" >>"$RESULTS"
}

# put_keys PREFIX KEY...: the named ones of the KEY=VALUE lines on stdin.
put_keys() {
	local prefix=$1 key value
	shift
	while IFS='=' read -r key value; do
		case " $* " in
		*" $key "*) put "$prefix$key" "$value" ;;
		esac
	done
}

build_tool() {
	local tool=$1
	shift
	"${CC:-cc}" -std=c11 -D_GNU_SOURCE -O2 -Wall -Wextra -I. -pthread \
		-o "$BUILD/$tool" tests/perf/perf.c "$@"
}

build_tools() {
	local tool
	mkdir -p "$RUN"
	build_tool load tests/perf/load.c tests/perf/flow.c
	for tool in udpflood rtt stream tunfloor; do
		build_tool "$tool" "tests/perf/$tool.c"
	done
}

# wait_for SECONDS COMMAND...: until it succeeds.
wait_for() {
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.05
	done
}

in_ns() {
	ip netns exec "$@"
}

# spawn NAMESPACE COMMAND...: in the background, its id in $spawned.
spawn() {
	local ns=$1 log
	shift
	log=$RUN/$(basename "$1").${#roots[@]}.log
	ip netns exec "$ns" "$@" >"$log" 2>&1 </dev/null &
	spawned=$!
	disown "$spawned"
	roots+=("$spawned")
}

spawn_client() {
	spawn "$@"
	vpn_roots+=("$spawned")
}

spawn_server() {
	spawn "$@"
	vpn_roots+=("$spawned")
	server_roots+=("$spawned")
}

is_running() {
	kill -0 "$1" 2>/dev/null
}

# All descendants of the processes, and themselves.
process_tree() {
	local pid
	for pid in "$@"; do
		is_running "$pid" || continue
		echo "$pid"
		# shellcheck disable=SC2046 # one word a process
		process_tree $(pgrep -P "$pid")
	done
}

# Ticks of processor time, user and system, of processes with all threads.
# Those of children that have ended count too.
cpu_ticks() {
	local pid line sum=0
	for pid in $(process_tree "$@"); do
		line=$(cat "/proc/$pid/stat" 2>/dev/null) || continue
		line=${line##*) }
		# shellcheck disable=SC2086 # fields of proc_pid_stat(5)
		set -- $line
		sum=$((sum + ${12} + ${13} + ${14} + ${15}))
	done
	echo "$sum"
}

# Ticks that all processors have spent on anything but idling.
busy_ticks() {
	awk '/^cpu / { print $2 + $3 + $4 + $7 + $8; exit }' /proc/stat
}

resident_kib() {
	local pid sum=0 kib
	for pid in $(process_tree "$@"); do
		kib=$(awk '/^VmRSS:/ { print $2 }' "/proc/$pid/status" \
			2>/dev/null)
		sum=$((sum + ${kib:-0}))
	done
	echo "$sum"
}

# Packets that a namespace has thrown away for a wrong checksum or header.
checksum_errors() {
	local ns sum=0 n
	for ns in "$NS_A" "$NS_B"; do
		# shellcheck disable=SC2016 # awk's
		n=$(in_ns "$ns" awk '
			/^(Ip|Tcp|Udp):/ && $2 ~ /[a-zA-Z]/ {
				for (i = 2; i <= NF; i++) name[i] = $i
				next
			}
			/^(Ip|Tcp|Udp):/ {
				for (i = 2; i <= NF; i++)
					if (name[i] ~ /In(Csum|Hdr)Errors/)
						sum += $i
			}
			END { print sum + 0 }' /proc/net/snmp)
		sum=$((sum + n))
	done
	echo "$sum"
}

is_listening() {
	in_ns "$1" ss -Hltn "sport = :$2" | grep -q .
}

# address_of NAMESPACE INTERFACE: its IPv4 address, if it has one.
address_of() {
	in_ns "$1" ip -4 -o addr show dev "$2" 2>/dev/null |
		awk '{ sub("/.*", "", $4); print $4; found = 1 }
			END { exit !found }'
}

# private COMMAND...: with a /run, /var/lib, /var/log, /var/lock of its own, for
# programs whose state files have fixed names. Runs inside a namespace.
# shellcheck disable=SC2016 # expanded inside
readonly PRIVATE=(unshare -m sh -c 'for d in /run /var/lib /var/log; do
	mount -t tmpfs none "$d" || exit 1; done
	mkdir -p /run/lock/vtund /run/vtund /var/log/vtund /var/lib/softether \
		/var/log/softether /run/softether
	exec "$@"' private)

connect_namespaces() {
	local client=$1 link=$2 net=$3
	ip link add name to_s netns "$client" type veth \
		peer name "$link" netns "$NS_S"
	ip -n "$client" addr add "$net.2/24" dev to_s
	ip -n "$NS_S" addr add "$net.1/24" dev "$link"
	ip -n "$client" link set to_s up
	ip -n "$NS_S" link set "$link" up
	ip -n "$client" route add 198.18.0.0/16 via "$net.1"
}

# The outer connections take the congestion control of the route.
set_congestion_control() {
	ip -n "$NS_A" route replace 198.18.1.0/24 dev to_s congctl "$1"
	ip -n "$NS_B" route replace 198.18.2.0/24 dev to_s congctl "$1"
	ip -n "$NS_S" route replace 198.18.1.0/24 dev to_a congctl "$1"
	ip -n "$NS_S" route replace 198.18.2.0/24 dev to_b congctl "$1"
	ip -n "$NS_A" route replace 198.18.0.0/16 via "$S_FROM_A" congctl "$1"
	ip -n "$NS_B" route replace 198.18.0.0/16 via "$S_FROM_B" congctl "$1"
}

topology_up() {
	local ns
	for ns in "$NS_A" "$NS_S" "$NS_B"; do
		ip netns add "$ns"
		ip -n "$ns" link set lo up
		in_ns "$ns" sysctl -qw net.ipv6.conf.all.disable_ipv6=0
	done
	connect_namespaces "$NS_A" to_a 198.18.1
	connect_namespaces "$NS_B" to_b 198.18.2
	in_ns "$NS_S" sysctl -qw net.ipv4.ip_forward=1
}

ours_are_gone() {
	local ns pid
	for pid in "${roots[@]}"; do
		! is_running "$pid" || return 1
	done
	for ns in "$NS_A" "$NS_S" "$NS_B"; do
		[ -z "$(ip netns pids "$ns" 2>/dev/null)" ] || return 1
	done
}

# Ends what was started, first politely, and removes the namespaces.
topology_down() {
	local i ns pid
	for ((i = ${#roots[@]} - 1; i >= 0; i--)); do
		kill "${roots[i]}" 2>/dev/null || true
	done
	if ! wait_for 4 ours_are_gone; then
		for pid in "${roots[@]}"; do
			kill -KILL "$pid" 2>/dev/null || true
		done
		for ns in "$NS_A" "$NS_S" "$NS_B"; do
			for pid in $(ip netns pids "$ns" 2>/dev/null); do
				kill -KILL "$pid" 2>/dev/null || true
			done
		done
		wait_for 2 ours_are_gone || true
	fi
	for ns in "$NS_A" "$NS_S" "$NS_B"; do
		ip netns del "$ns" 2>/dev/null || true
	done
	roots=() vpn_roots=() server_roots=()
}

at_exit() {
	topology_down
	if [ -n "${BENCH_KEEP_LOGS:-}" ]; then
		say "logs: $RUN"
	else
		rm -rf "$RUN"
	fi
}
