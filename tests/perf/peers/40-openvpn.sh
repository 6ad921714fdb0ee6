# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # variables that the files share
# SPDX-License-Identifier: MIT
# OpenVPN over TCP, with a certificate for each end.

# certificate NAME: an authority if there is none yet, and a key signed by it.
certificate() {
	local dir=$RUN/pki
	mkdir -p "$dir"
	[ -f "$dir/ca.crt" ] || openssl req -x509 -newkey ec -nodes \
		-pkeyopt ec_paramgen_curve:P-256 -days 30 \
		-subj "/CN=authority" \
		-keyout "$dir/ca.key" -out "$dir/ca.crt" 2>/dev/null
	[ -f "$dir/$1.crt" ] || {
		openssl req -newkey ec -nodes -pkeyopt \
			ec_paramgen_curve:P-256 -subj "/CN=$1" \
			-keyout "$dir/$1.key" -out "$dir/$1.csr" 2>/dev/null
		openssl x509 -req -in "$dir/$1.csr" -CA "$dir/ca.crt" \
			-CAkey "$dir/ca.key" -CAcreateserial -days 30 \
			-out "$dir/$1.crt" 2>/dev/null
	}
}

openvpn_end() {
	echo --dev tun9 --dev-type tun --ca "$RUN/pki/ca.crt" \
		--cert "$RUN/pki/$1.crt" --key "$RUN/pki/$1.key" --verb 3
}

openvpn_client() {
	# shellcheck disable=SC2046 # words
	spawn_client "$1" openvpn --client --remote "$2" 1194 \
		--proto tcp-client --nobind $(openvpn_end "$3") "${@:4}"
}

# openvpn_up OPTION...: those of both ends that choose the cipher.
openvpn_up() {
	certificate server
	certificate a
	certificate b
	# shellcheck disable=SC2046 # words
	spawn_server "$NS_S" openvpn --server 10.71.0.0 255.255.255.0 \
		--topology subnet --client-to-client --proto tcp-server \
		--port 1194 --dh none $(openvpn_end server) "$@"
	wait_for 5 is_listening "$NS_S" 1194 ||
		{ reason="openvpn does not listen"; return 1; }
	openvpn_client "$NS_A" "$S_FROM_A" a "$@"
	openvpn_client "$NS_B" "$S_FROM_B" b "$@"
	{ wait_for 15 address_of "$NS_A" tun9 &&
		wait_for 15 address_of "$NS_B" tun9; } ||
		{ reason="openvpn does not connect"; return 1; }
	address_a=$(address_of "$NS_A" tun9)
	address_b=$(address_of "$NS_B" tun9)
}

register openvpn-gcm "peers" "tcp1 tcp4 udp small rtt loaded verify" \
	"openvpn openssl" "OpenVPN TCP, AES-256-GCM" \
	openvpn_up --data-ciphers AES-256-GCM
register openvpn-none "peers congestion" \
	"tcp1 tcp4 udp small rtt loaded verify" \
	"openvpn openssl" "OpenVPN TCP, no cipher" \
	openvpn_up --data-ciphers none --cipher none --auth none
