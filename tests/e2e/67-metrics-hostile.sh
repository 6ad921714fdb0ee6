#!/bin/bash
# SPDX-License-Identifier: MIT
#
# 200 HTTP connections that dribble a request, and others that read no answer,
# disturb nobody: metrics are served at once, clients lose nothing, the server
# takes few descriptors and little time for them, and rids itself of them.
# When descriptors have run out it waits, without spinning.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

URL=http://127.0.0.1:9100/metrics
OPEN=56		# connections that the server ever holds, server/metrics.c
HZ=$(getconf CLK_TCK)

fetch() { ns s curl -sSf -m 5 "$URL" >"$WORK/metrics"; }

descriptors() {
	REPLY=$(find "/proc/${PID[srv]}/fd" -type l | wc -l)
}

has_descriptors() { descriptors && ((REPLY == $1)); }

# Processor time of the server so far, ms, in REPLY.
processor_ms() {
	local stat
	read -r stat <"/proc/${PID[srv]}/stat"
	# shellcheck disable=SC2086 # the fields after the name
	set -- ${stat##*) }
	REPLY=$(((${12} + ${13}) * 1000 / HZ))
}

# hold NAME N REQUEST: open N connections, send each the request, and then a
# byte now and then, whatever becomes of them.
hold() {
	# shellcheck disable=SC2016 # for the other shell
	start "$1" s bash -c 'trap "" PIPE
		for ((i = 0; i < $1; i++)); do
			exec {fd}<>/dev/tcp/127.0.0.1/9100 || exit 1
			fds+=("$fd")
			printf "$2" >&"$fd"
		done 2>/dev/null
		echo opened
		while sleep 0.2; do
			for fd in "${fds[@]}"; do
				printf x >&"$fd"
			done 2>/dev/null
		done' bash "$2" "$3" </dev/null
	wait_for "$1 to have its connections" log_has "$1" opened
}

set_up 2
start_srv --metrics 9100
start_cli 1 -a 10.0.0.7
start_cli 2 -a 10.0.0.8
wait_joined 1 10.0.0.7
wait_joined 2 10.0.0.8
wait_ping c1 10.0.0.8
descriptors
before=$REPLY

hold slow 200 'GET / HTTP/1.1\r\nHost: x\r\nX: '
descriptors
((REPLY <= before + OPEN)) || fail "$((REPLY - before)) descriptors for them"
for _ in {1..10}; do
	fetch || fail "no metrics while others dribble"
done
hold deaf 20 "$(printf 'GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n%.0s' {1..200})"
fetch || fail "no metrics while others do not read"
processor_ms
used=$REPLY
ns c1 ping -q -c 40 -i 0.05 10.0.0.8 >"$WORK/ping" ||
	fail "ping: $(<"$WORK/ping")"
grep -q ' 0% packet loss' "$WORK/ping" || fail "ping: $(<"$WORK/ping")"
processor_ms
((REPLY - used < 1000 * WAIT_SCALE)) ||
	fail "$((REPLY - used)) ms of processor time in 2 s"
transfer c1 c2 10.0.0.8 3000000
# They still write; the server has let go of them all.
wait_for "the server to be rid of them" has_descriptors "$before"
ended "${PID[slow]}" && fail "the slow ones ended by themselves"
kill -KILL "${PID[slow]}" "${PID[deaf]}"
wait "${PID[slow]}" "${PID[deaf]}" 2>/dev/null
unset "PID[slow]" "PID[deaf]"
stop cli1
stop cli2
stop srv

# Few descriptors: a connection more than there are waits.
SRV_WRAP=(prlimit --nofile=$((before + 3)))
start_srv --no-tun --metrics 9100
hold greedy 12 'GET / HTTP/1.1\r\n'
processor_ms
used=$REPLY
ns c1 ping -q -c 40 -i 0.05 $SERVER >/dev/null
processor_ms
# A busy machine leaves little to a thread of low priority, even if it spins.
((REPLY - used < 100 * WAIT_SCALE)) ||
	fail "$((REPLY - used)) ms of processor time in 2 s without descriptors"
kill -KILL "${PID[greedy]}"
wait "${PID[greedy]}" 2>/dev/null
unset "PID[greedy]"
wait_for "metrics again" fetch
