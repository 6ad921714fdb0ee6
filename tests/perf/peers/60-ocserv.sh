# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # variables that the files share
# SPDX-License-Identifier: MIT
# ocserv with openconnect, TLS over TCP.

ocserv_config() {
	local dir=$RUN/ocserv
	mkdir -p "$dir"
	[ -f "$dir/passwd" ] ||
		printf 'bench\nbench\n' | ocpasswd -c "$dir/passwd" bench
	cat >"$dir/conf" <<-EOF
		auth = "plain[passwd=$dir/passwd]"
		tcp-port = 443
		run-as-user = root
		run-as-group = root
		socket-file = /run/ocserv-socket
		server-cert = $RUN/pki/server.crt
		server-key = $RUN/pki/server.key
		isolate-workers = false
		max-clients = 16
		max-same-clients = 4
		keepalive = 300
		compression = false
		device = vpns
		predictable-ips = false
		ipv4-network = 10.74.0.0/24
		route = 10.74.0.0/255.255.255.0
		cookie-timeout = 300
		rate-limit-ms = 0
		max-ban-score = 0
		use-occtl = false
	EOF
	cat >"$dir/script" <<-'EOF'
		#!/bin/sh
		[ "$reason" = connect ] || exit 0
		ip link set dev "$TUNDEV" up mtu "$INTERNAL_IP4_MTU"
		ip addr add "$INTERNAL_IP4_ADDRESS/24" dev "$TUNDEV"
	EOF
	chmod +x "$dir/script"
}

openconnect_client() {
	# shellcheck disable=SC2016 # expanded inside
	spawn_client "$1" sh -c 'echo bench | exec openconnect --no-dtls \
		--non-inter --passwd-on-stdin --user bench --interface tun9 \
		--cafile "$1/pki/ca.crt" --no-system-trust \
		--resolve "server:$2" --script "$1/ocserv/script" \
		https://server' sh "$RUN" "$2"
}

ocserv_up() {
	certificate server
	ocserv_config
	spawn_server "$NS_S" "${PRIVATE[@]}" ocserv -f -c "$RUN/ocserv/conf"
	wait_for 5 is_listening "$NS_S" 443 ||
		{ reason="ocserv does not listen"; return 1; }
	openconnect_client "$NS_A" "$S_FROM_A"
	openconnect_client "$NS_B" "$S_FROM_B"
	{ wait_for 15 address_of "$NS_A" tun9 &&
		wait_for 15 address_of "$NS_B" tun9; } ||
		{ reason="openconnect does not connect"; return 1; }
	address_a=$(address_of "$NS_A" tun9)
	address_b=$(address_of "$NS_B" tun9)
}

register ocserv "peers" "tcp1 tcp4 udp small rtt loaded verify" \
	"ocserv openconnect openssl" "ocserv and openconnect, TLS over TCP" \
	ocserv_up
