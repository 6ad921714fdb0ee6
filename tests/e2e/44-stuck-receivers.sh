#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Clients that take nothing of what they are sent, each for another reason, all
# at once: the others do not notice, the stuck ones are closed in the time that
# --stall-timeout says, and come back when they can.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/faults.sh
. "$(dirname "$0")/faults.sh"

STALL=3

set_up 7
start_srv --stall-timeout $STALL --idle-timeout 20
for i in 1 2 3 4 5; do
	start_cli $i -a 10.0.0.1$i
done
for i in 1 2 3 4 5; do
	wait_joined $i 10.0.0.1$i
done
wait_ping c1 10.0.0.12
raw_start tiny c6
raw_do tiny rcvbuf 2048
raw_join tiny 10.0.0.16
raw_start dead c7
raw_join dead 10.0.0.17
raw_start sender c2
raw_join sender 10.0.0.8
# Paced traffic between others: nothing of it may be lost.
start paced c6 "$HASHED" hub $SERVER 2002 --clients 3 --flows 2 --rate 1000 \
	--seconds $((STALL + 6)) </dev/null

kill -STOP "${PID[cli3]}"
ip -n "$PREFIX-c4" link set eth0 down
cut_off 5
raw_do dead vanish
now_ms
start=$REPLY
for i in 13 14 15 16; do
	raw_do sender flood 10.0.0.$i 4000 1500
done
raw_do sender udp me 10.0.0.17 100
ns c1 ping -q -c 60 -i 0.05 -W 2 10.0.0.12 >"$WORK/ping" ||
	fail "ping: $(<"$WORK/ping")"
grep -q ' 0% packet loss' "$WORK/ping" || fail "ping: $(<"$WORK/ping")"
worst=$(awk -F/ '/^rtt/ { print int($6) }' "$WORK/ping")
((worst < 300 * WAIT_SCALE)) || fail "a ping took $worst ms"
srv_memory
((REPLY < 65536 * WAIT_SCALE * WAIT_SCALE)) || fail "srv has $REPLY KiB"
for i in 17 16 15 14 13; do
	BOUND=$((STALL + 5)) wait_for "10.0.0.$i to be closed" left 10.0.0.$i
	now_ms
	say "10.0.0.$i gone after $((REPLY - start)) ms at most:" \
		"$(sed -nE "s/.*10\.0\.0\.$i left, [^ ]*: (.*), after.*/\1/p" \
			"${LOG[srv]}")"
done
now_ms
((REPLY - start < (STALL + 3) * 1000 * WAIT_SCALE)) ||
	fail "the last one was gone after $((REPLY - start)) ms"
wait_end paced
cp "${LOG[paced]}" "$WORK/hashed"
((STATUS == 0)) || fail "others: $(tr '\n' ' ' <"$WORK/hashed")"
say_hashed
nothing_lost

kill -CONT "${PID[cli3]}"
ip -n "$PREFIX-c4" link set eth0 up
mend 5
for i in 3 4 5; do
	BOUND=60 wait_ping c1 10.0.0.1$i
done
