#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Above --max-clients a client is refused, that one only, and room that gets
# free is used.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

set_up 1
start_srv --max-clients 2
raw_start one c1
raw_start two c1
raw_start three c1
raw_join one
raw_join two
raw_do three refused dynamic
raw_do one keepalive
raw_do two udp me me 64
raw_do two expect-udp me me 64
raw_do one close
# The first one may still be leaving: then again, on a new connection.
joins() {
	raw_try three join dynamic && return
	raw_try three close
	return 1
}
wait_for "the third to join" joins
