#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Shows a person the hub at work: one server, two clients, a device and a host
# in the world beyond, each in a network namespace of its own, on real TUN
# interfaces.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/e2e/lib.sh"

MEGABYTES=200

title() { printf '\n%s\n' "$*"; }

# Show a command as it would be typed, in the namespace that it runs in.
shown() { printf '  %-7s $ %s\n' "$1" "${*:2}"; }

# shown_ping FROM ADDRESS
shown_ping() {
	wait_ping "$1" "$2"
	shown "${NAME[$1]}" "ping -c 3 $2"
	ns "$1" ping -q -c 3 -i 0.1 "$2" >"$WORK/ping" || fail "no answer"
	awk -F '[/ ]+' '
		/transmitted/ { sent = $1; got = $4 }
		/^rtt/ { printf "          %d of %d answered, %s ms on average\n",
			got, sent, $8 }' "$WORK/ping"
}

# The last line of a program's log that has the pattern $2.
shown_line() { printf '          %s\n' "$(grep -E "$2" "${LOG[$1]}" | tail -1)"; }

# What a program printed, a little to the right.
shown_output() { sed 's/^/          /'; }

# Data from a pipe into a hash at both ends: the tunnel is what is measured.
shown_transfer() {
	local address=$1 bytes=$((MEGABYTES * 1000000)) start ms
	head -c $bytes /dev/urandom >"$WORK/sent"
	shown ana "send $MEGABYTES MB of random data to $address over TCP"
	receive receiver c2 5001 "$WORK/got"
	now_ms
	start=$REPLY
	ns c1 socat -u -b 262144 OPEN:"$WORK/sent" "TCP4:$address:5001" ||
		fail "the transfer broke off"
	wait_end receiver
	now_ms
	ms=$((REPLY - start))
	cmp -s <(sha256sum <"$WORK/sent") <(sha256sum <"$WORK/got") ||
		fail "what arrived is not what was sent"
	printf '          %d.%02d s, %d Mbit/s; sha256 of both ends equal: %.16s...\n' \
		$((ms / 1000)) $((ms % 1000 / 10)) $((bytes * 8 / 1000 / ms)) \
		"$(sha256sum <"$WORK/got")"
}

set_up 3
add_world
declare -A NAME=([s]=gateway [c1]=ana [c2]=ben [c3]=sensor)

cat <<END
simplevpn: four hosts that share nothing but TCP port 2002 of one of them

   ana (cli)     ben (cli)     sensor (device: 20-byte join, no TUN)
 192.0.2.11    192.0.2.12    192.0.2.13
      |             |             |
      +-------------+-------------+---- 192.0.2.1 gateway (srv), tunnel $HUB/16
                                                  |
                                    $WORLD world, which knows
                                        nothing of the tunnel
END

title "The server starts, and three join"
shown gateway "srv --nat up0 --push-route 198.51.100.0/24"
start_srv --nat up0 --push-route 198.51.100.0/24
shown_line srv 'through up0'
shown_line srv 'port 2002'
shown ana "cli -s $SERVER"
start_cli 1 --control "$WORK/cli.sock"
wait_joined 1
ana=$REPLY
wait_for "the route to the world" log_has cli1 route
shown_line cli1 "address"
shown_line cli1 "route"
shown ben "cli -s $SERVER -a 10.0.0.7"
start_cli 2 -a 10.0.0.7 --control none
wait_joined 2 10.0.0.7
shown_line cli2 "address"
shown sensor "device $SERVER"
start device c3 "$DEVICE" $SERVER </dev/null
wait_for "the device to join" log_has device 'joined as'
sensor=$(sed -n 's/.*joined as //p' "${LOG[device]}")
shown_line device 'joined as'

title "They reach each other, the gateway, the device and the world"
shown_ping c1 10.0.0.7
shown_ping c1 $HUB
shown_ping c2 "$sensor"
shown_ping s "$ana"
shown_ping c1 $WORLD
shown_transfer 10.0.0.7

title "What the operator and the user see"
shown gateway "srv status"
control status | shown_output
shown ana "cli status"
"$CLI" status --control "$WORK/cli.sock" | shown_output

title "Everything ends cleanly (SIGTERM)"
stop cli1
stop cli2
stop srv
nat_tables
[[ -z $REPLY ]] || fail "nft tables are left: $REPLY"
if ip -n "$PREFIX-s" -o link show | grep -q tun ||
	ip -n "$PREFIX-c1" -o link show | grep -q tun; then
	fail "an interface is left"
fi
cat <<END
          no interface, route or process is left

Shown: dynamic and static join, client to client, client to gateway, a device
that speaks only the base protocol, the world behind the gateway, $MEGABYTES MB through
the tunnel unchanged, and what the programs tell about themselves.
END
