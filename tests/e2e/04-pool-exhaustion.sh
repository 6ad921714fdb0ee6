#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A network of six hosts has room for five clients; the sixth is refused, and
# joins as soon as one has left.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

set_up 2
start_srv --network 10.0.0.0/29
declare -A seen=()
for i in 1 2 3 4 5; do
	raw_start "base$i" c1
	raw_join "base$i"
	[[ $REPLY =~ ^10\.0\.0\.[2-6]$ && -z ${seen[$REPLY]:-} ]] ||
		fail "client $i got $REPLY"
	seen[$REPLY]=yes
done
raw_start base6 c1
raw_do base6 refused dynamic
raw_do base6 refused 10.0.0.0
raw_do base6 refused 10.0.0.1
raw_do base6 refused 10.0.0.7
start_cli 2
wait_for "cli to say that it was refused" \
	log_has cli2 'no free address|pool|address'
tunnel_address c2 && fail "cli configured $REPLY"
raw_do base3 close
BOUND=60 wait_joined 2
ip -n "$PREFIX-c2" addr show dev tun0 | grep -q "inet $REPLY/29" ||
	fail "no prefix length of 29"
