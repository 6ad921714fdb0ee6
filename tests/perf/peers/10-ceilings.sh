# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # variables that the files share
# SPDX-License-Identifier: MIT
# The ceilings: no tunnel at all, and a user-space TCP relay.

readonly RELAY_BUFFER=262144

plain_up() {
	address_a=$A_LINK address_b=$B_LINK
}

relay_port() {
	spawn_server "$NS_S" socat -b $RELAY_BUFFER \
		"TCP-LISTEN:$1,reuseaddr,fork" "TCP:$B_LINK:$1"
	wait_for 5 is_listening "$NS_S" "$1"
}

relay_up() {
	address_a=$A_LINK address_b=$S_FROM_A
	relay_port "$IPERF_PORT" && relay_port "$STREAM_PORT"
}

register plain "e2e peers congestion" "tcp1 tcp4 udp small rtt loaded verify" \
	"iperf3 jq" "plain forwarding, no tunnel" plain_up
register relay "e2e peers congestion" "tcp1 tcp4 verify" \
	"socat" "user-space TCP relay (socat, 256 KiB)" relay_up
