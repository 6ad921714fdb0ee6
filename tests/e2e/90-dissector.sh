#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The Wireshark dissector reads a capture of the real programs: joins of a
# capable and of a base client, a refusal, keepalives, packets of one message
# and of many, super-packets, and a message that is cut over segments.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/lib-tshark.sh
. "$(dirname "$0")/lib-tshark.sh"

set_up 3
prepare_tshark

# shown FILTER [FIELD...]: the capture's frames that pass, in $WORK/tshark.
shown() {
	local filter=$1
	shift
	dissect "$WORK/capture" -Y "$filter" -T fields -E 'aggregator=|' \
		-e frame.number "${@/#/-e}"
}

seen() {
	shown "$1"
	[[ -s $WORK/tshark ]]
}

must_see() { seen "$2" || fail "$1 is not to be seen: $2"; }

# must_say WHAT FILTER FIELD PATTERN: the field has it in one of the frames.
must_say() {
	shown "$2" "$3"
	cut -f2 "$WORK/tshark" | grep -qE -e "$4" ||
		fail "$1: $3 is not $4 but: $(cut -f2 "$WORK/tshark" | sort -u)"
}

from() { printf 'ip.src == 192.0.2.1%s && ' "$1"; }

to() { printf 'ip.dst == 192.0.2.1%s && ' "$1"; }

# The buffer (KiB) holds all of it: a gap would be undecodable.
start capture s tcpdump -i br0 -U -B 32768 -Z root -w "$WORK/capture" tcp port 2002 \
	</dev/null
wait_for "tcpdump to listen" log_has capture 'listening on'
start_srv
start_cli 1 -a 10.0.0.11 --keepalive 1
wait_joined 1 10.0.0.11
start_cli 3 -a 10.0.0.11
wait_for "a refusal" log_has cli3 'in use'
stop cli3
raw_start base c2
raw_join base 10.0.0.7
raw_do base keepalive
raw_do base cut 7
raw_do base ping me 10.0.0.11 84
raw_do base expect-pong 10.0.0.11
transfer c1 s $HUB 1000000
wait_for "a keepalive of cli" seen \
	"$(to 1)"'simplevpn.message == "keepalive echo"'
stop capture

join="$(from 1)"'simplevpn.message == "request"'
must_say "cli's request" "$join" simplevpn.capable '^1$'
must_say "cli's request" "$join" simplevpn.wanted '^10\.0\.0\.11$'
must_say "cli's request" "$join" simplevpn.flags '^0x0003$'
reply="$(to 1)"'simplevpn.message == "reply"'
must_say "cli's reply" "$reply" simplevpn.address '^10\.0\.0\.11$'
must_say "cli's reply" "$reply" simplevpn.option.mtu '^1500$'
must_say "cli's reply" "$reply" simplevpn.option.prefix_length '^16$'
must_say "cli's reply" "$reply" simplevpn.option.server '^10\.0\.0\.1$'
must_say "cli's reply" "$reply" simplevpn.option.idle_timeout '^60$'
must_say "cli's reply" "$reply" simplevpn.request_in '^[0-9]+$'
refusal="$(to 3)"'simplevpn.message == "refused"'
must_say "the refusal" "$refusal" simplevpn.option.error_code '^1$'
must_say "the refusal" "$refusal" simplevpn.reason 'in use'
must_say "the refusal" "$refusal" _ws.col.Info '^Refused: .*in use'
must_say "the refusal" "$refusal" _ws.col.Protocol '^simplevpn$'
base="$(from 2)"'simplevpn.message == "request"'
must_say "the base client's request" "$base" simplevpn.capable '^0$'
must_say "the base client's reply" "$(to 2)"'simplevpn.message == "reply"' \
	simplevpn.address '^10\.0\.0\.7$'
must_see "a keepalive" "$(from 2)"'simplevpn.message == "keepalive"'
must_see "its echo" "$(to 2)"'simplevpn.message == "keepalive echo"'
must_see "a message over several segments" \
	"$(from 2)"'simplevpn.message == "ipv4" && tcp.segment.count > 1 &&
	icmp.type == 8 && ip.src == 10.0.0.7 && ip.dst == 10.0.0.11'
must_see "the inner TCP of a super-packet" \
	"$(from 1)"'simplevpn.segment.size > 500 && tcp.dstport == 5001'
must_say "several messages in one segment" "$(from 1)simplevpn" \
	simplevpn.message '[|]'
seen simplevpn.expert.bad_message && fail "bad: $(<"$WORK/tshark")"
seen simplevpn.expert.bad_option && fail "bad: $(<"$WORK/tshark")"

dissect "$WORK/capture" -o simplevpn.port:2003 -Y simplevpn
[[ ! -s $WORK/tshark ]] || fail "the preference for the port has no effect"
