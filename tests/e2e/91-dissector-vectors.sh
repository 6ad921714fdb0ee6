#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The Wireshark dissector reads every test vector of docs/protocol.md as the
# protocol says, however the stream is cut, and garbage without an error.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/lib-tshark.sh
. "$(dirname "$0")/lib-tshark.sh"

WORK=$(mktemp -d)
trap finish EXIT
prepare_tshark

# What the vectors say, and the field that has to say it.
fields=(frame.number tcp.srcport tcp.dstport simplevpn.message simplevpn.error
	simplevpn.expert.bad_option simplevpn.length simplevpn.wanted
	simplevpn.capable simplevpn.version simplevpn.flags simplevpn.address
	simplevpn.option.prefix_length simplevpn.option.server
	simplevpn.option.mtu simplevpn.option.keepalive
	simplevpn.option.idle_timeout simplevpn.option.retry
	simplevpn.option.route simplevpn.option.dns simplevpn.option.search
	simplevpn.option.token simplevpn.option.error_code
	simplevpn.option.error_text simplevpn.option.withdrawn
	simplevpn.segment.size
	simplevpn.segment.checksum_partial ip.src ip.dst)

# capture_vectors FILE CUT [PORT]: as $WORK/capture and $WORK/expected.
capture_vectors() {
	awk -v expected="$WORK/expected" -v cut="$2" \
		-v server_port="${3:-2002}" \
		-f "$TOP/tests/e2e/vectors.awk" "$1" |
		to_bytes >"$WORK/capture"
}

# check_vectors CUT [PORT]: in segments of so many bytes; 0: in one.
check_vectors() {
	capture_vectors "$TOP/docs/protocol.md" "$@"
	dissect "$WORK/capture" -d "tcp.port==${2:-2002},simplevpn" -T fields -E header=y -E 'aggregator=|' \
		"${fields[@]/#/-e}"
	awk -f "$TOP/tests/e2e/vectors-check.awk" "$WORK/expected" \
		"$WORK/tshark" || fail "in segments of $1 bytes (0: in one)"
}

check_vectors 0
check_vectors 1
check_vectors 7 4000

# A stream of random bytes each, in both directions, some with the beginnings
# of messages in front: all is shown, and nothing is an error of the script.
random_streams() {
	local i start
	for ((i = 0; i < 150; i++)); do
		start=
		case $((i % 5)) in
		1) start=4514002f76530000 ;;
		2) start=f0010004450000304500 ;;
		3) start=6000 ;;
		4) start=451400000000000040000000000000000a000002 ;;
		esac
		echo '```vector'
		echo "name garbage $i"
		echo "from $( ((i % 2)) && echo server || echo client)"
		case $((i % 3)) in
		0) echo "state none" ;;
		1) echo "state joined capable segments" ;;
		2) echo "state capable" ;;
		esac
		echo "bytes $start$(head -c $((i * 3 + 1)) /dev/urandom |
			od -An -v -tx1 | tr -d ' \n')"
		echo "kind any"
		echo '```'
	done
}

random_streams >"$WORK/garbage.md"
for cut in 0 33; do
	capture_vectors "$WORK/garbage.md" $cut
	dissect "$WORK/capture" -2 -V
	grep -q 'Bytes that cannot be a message' "$WORK/tshark" ||
		fail "garbage is not marked"
done
