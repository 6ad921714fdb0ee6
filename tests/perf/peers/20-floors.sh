# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # variables that the files share
# SPDX-License-Identifier: MIT
# The floors under a tunnel's round trip: two TUN crossings, without and with
# the plain forwarding between them.

floor_addresses() {
	address_a=10.70.0.2 address_b=10.70.0.3
	wait_for 5 ip -n "$NS_A" link show dev floor &&
		wait_for 5 ip -n "$NS_B" link show dev floor || return 1
	ip -n "$NS_A" addr add "$address_a/24" dev floor
	ip -n "$NS_B" addr add "$address_b/24" dev floor
	ip -n "$NS_A" link set floor up
	ip -n "$NS_B" link set floor up
}

floor_direct_up() {
	spawn_server "$NS_A" "$BUILD/tunfloor" direct floor "$NS_A" "$NS_B"
	floor_addresses
}

floor_link_up() {
	spawn_client "$NS_A" "$BUILD/tunfloor" link floor \
		"$A_LINK" "$B_LINK" 7000
	spawn_client "$NS_B" "$BUILD/tunfloor" link floor \
		"$B_LINK" "$A_LINK" 7000
	floor_addresses
}

register floor-direct "e2e" "rtt" "" \
	"two TUN crossings, one process" floor_direct_up
register floor-link "e2e" "rtt" "" \
	"two TUN crossings and plain forwarding, UDP" floor_link_up
