#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A header that cannot be a message ends that connection, and only that one.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# A source that offends too often is refused for a while: three of them share.
set_up 3
start_srv
raw_start good c1
raw_join good 10.0.0.7
n=0
# From 10.0.0.8 to 10.0.0.7: version, header length, total length are wrong.
for header in 15000020 00000020 75000020 41000020 44000020 45000013 4f000020 \
	45000000; do
	raw_start "bad$header" "c$((n++ % 3 + 1))"
	raw_join "bad$header" 10.0.0.8
	raw_do "bad$header" send $header 000000004011 0000 0a000008 0a000007
	raw_do "bad$header" expect-eof
	raw_do good keepalive
done
# What stands before it is still handled.
raw_start last c3
raw_join last 10.0.0.9
raw_do last send 451400000000000040000000ffffffffffffffff \
	05000020000000004011 0000 0a0000090a000007
raw_do last expect 451400000000000040000000ffffffffffffffff
raw_do last expect-eof
raw_do good keepalive
