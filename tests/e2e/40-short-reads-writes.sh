#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Reads and writes of both programs are short and interrupted at random; every
# packet that arrives is whole, once and in order.
# Environment: HASHED_MB, how much goes through the hub (200).

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/faults.sh
. "$(dirname "$0")/faults.sh"

set_up 3
set_shim FAULT_IO=1
SRV_WRAP=("${SHIMMED[@]}")
start_srv
# Between clients of the base protocol, as fast as they can.
hashed_hub c3 --clients 6 --flows 5 --bytes "${HASHED_MB:-200}M" \
	--seconds $((100 * WAIT_SCALE))
value_of "$WORK/hashed" bytes
((REPLY >= ${HASHED_MB:-200} << 20)) || fail "only $REPLY bytes arrived"
# And slowly enough that nothing has a reason to be dropped.
hashed_hub c3 --clients 4 --flows 2 --rate 500 --seconds 2
nothing_lost
# Through the interfaces of two clients that suffer as well.
for i in 1 2; do
	start "cli$i" "c$i" "${SHIMMED[@]}" "$CLI" -s $SERVER \
		-a "10.0.0.1$i" </dev/null
done
wait_joined 1
wait_joined 2
wait_ping c1 10.0.0.12
transfer c1 c2 10.0.0.12 20000000
start receiver c2 "$HASHED" receive 5002 </dev/null
wait_for "the receiver" grep -q ':138A ' "/proc/${PID[receiver]}/net/udp"
ns c1 "$HASHED" send 10.0.0.12 5002 --bytes 20M --rate 10000 >/dev/null ||
	fail "hashed send"
wait_end receiver
cp "${LOG[receiver]}" "$WORK/hashed"
((STATUS == 0)) || fail "hashed receive: $(tr '\n' ' ' <"$WORK/hashed")"
say_hashed
