#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A source that sends rubbish again and again is refused for a while; its
# clients that have an address, and all other sources, do not notice.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# One connection that is no client's: true once the server refuses it at once.
refused_at_once() {
	raw_try rubbish send 474554202f20485454502f312e310d0a0d0a0d0a
	raw_do rubbish expect-eof
	log_has srv "192\.0\.2\.11:[0-9]+ refused"
}

set_up 2
start_srv
raw_start good c1
raw_join good 10.0.0.7
raw_start other c2
raw_start rubbish c1
wait_for "the source to be refused" refused_at_once
raw_do good keepalive
raw_do good udp me me 100
raw_do good expect-udp me me 100
raw_join other 10.0.0.8
raw_do good udp me 10.0.0.8 100
raw_do other expect-udp 10.0.0.7 me 100
