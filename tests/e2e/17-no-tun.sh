#!/bin/bash
# SPDX-License-Identifier: MIT
#
# With --no-tun the server is a pure hub that needs no privilege at all: base
# clients and capable ones reach each other through it.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

set_up 3
install -m 755 "$SRV" "$WORK/srv.nobody"
chmod 755 "$WORK"
SRV=$WORK/srv.nobody
SRV_WRAP=(setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all
	--bounding-set=-all)
install -d -o 65534 "$WORK/run"
start_srv --no-tun --control "$WORK/run/srv.sock"
"$SRV" status -S "$WORK/run/srv.sock" | grep -q 'without a TUN' ||
	fail "its control socket does not work"
ip -n "$PREFIX-s" -o link show | grep -q tun && fail "there is an interface"
start_cli 1 -a 10.0.0.11
start_cli 2 -a 10.0.0.12
wait_joined 1
wait_joined 2
wait_ping c1 10.0.0.12
raw_start base c3
raw_join base 10.0.0.7
raw_do base ping me 10.0.0.11 84
raw_do base expect-pong 10.0.0.11
# What would go to the gateway is refused and counted.
raw_do base udp me 203.0.113.9 100
raw_do base expect-icmp 3 1
wait_dropped no_gateway 1
raw_do base keepalive
