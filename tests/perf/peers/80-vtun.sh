# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # variables that the files share
# SPDX-License-Identifier: MIT
#
# vtun over TCP without encryption: a point-to-point link for each client, and
# the kernel of S forwards between them. The interfaces are made before vtund
# starts: it ends a session when a packet arrives before its interface is up.

# vtun_interface NAMESPACE NAME HERE THERE ROUTED
vtun_interface() {
	ip -n "$1" tuntap add dev "$2" mode tun
	ip -n "$1" addr add "$3" peer "$4" dev "$2"
	ip -n "$1" link set "$2" up
	ip -n "$1" route add "$5" dev "$2"
}

vtun_config() {
	mkdir -p "$RUN/vtun"
	cat >"$RUN/vtun/conf" <<-EOF
		options { port 5000; timeout 60; }
		default { type tun; proto tcp; compress no; encrypt no;
			keepalive yes; speed 0; multi yes; }
		a { passwd bench; device tun-a; }
		b { passwd bench; device tun-b; }
	EOF
}

vtun_up() {
	address_a=10.73.1.2 address_b=10.73.2.2
	vtun_config
	vtun_interface "$NS_S" tun-a 10.73.1.1 10.73.1.2 10.73.3.0/24
	vtun_interface "$NS_S" tun-b 10.73.2.1 10.73.2.2 10.73.4.0/24
	vtun_interface "$NS_A" tun-a 10.73.1.2 10.73.1.1 10.73.2.0/24
	vtun_interface "$NS_B" tun-b 10.73.2.2 10.73.2.1 10.73.1.0/24
	spawn_server "$NS_S" "${PRIVATE[@]}" vtund -n -s -f "$RUN/vtun/conf"
	wait_for 5 is_listening "$NS_S" 5000 ||
		{ reason="vtund does not listen"; return 1; }
	spawn_client "$NS_A" "${PRIVATE[@]}" \
		vtund -n -f "$RUN/vtun/conf" a "$S_FROM_A"
	spawn_client "$NS_B" "${PRIVATE[@]}" \
		vtund -n -f "$RUN/vtun/conf" b "$S_FROM_B"
}

register vtun "peers" "tcp1 tcp4 udp small rtt loaded verify" \
	"vtund" "vtun TCP, no encryption" vtun_up
