#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Keepalives come back to the byte, whatever is in their other fields, cut in
# pieces too; and cli's keep it alive for longer than the idle timeout.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

set_up 1
start_srv --idle-timeout 2
start_cli 1 --keepalive 1
wait_joined 1
address=$REPLY
raw_start base c1
raw_join base
raw_do base keepalive
for _ in 1 2 3 4 5 6 7 8; do
	raw_do base header random
	raw_do base keepalive
done
raw_do base cut 1
raw_do base keepalive
# Twice, a silent client that came later is closed before cli is.
raw_do base expect-eof 10000
raw_do base join dynamic
raw_do base expect-eof 10000
has_address c1 "$address" || fail "the address went away"
log_has cli1 'closed the connection|next try' && fail "cli lost its connection"
wait_ping c1 $HUB
