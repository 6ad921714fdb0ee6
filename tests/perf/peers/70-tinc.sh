# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # variables that the files share
# SPDX-License-Identifier: MIT
# tinc with TCPOnly: A and B each connect to S, which passes on between them.

# tinc_node NAME ADDRESS [LINE...]
tinc_node() {
	local dir=$RUN/tinc/$1
	mkdir -p "$dir/hosts"
	printf '%s\n' "Name = $1" "Interface = tun9" "AddressFamily = ipv4" \
		"TCPOnly = yes" "${@:3}" >"$dir/tinc.conf"
	printf '%s\n' "Subnet = $2/32" "TCPOnly = yes" "IndirectData = yes" \
		>"$dir/hosts/$1"
	tincd -c "$dir" -K 2048 </dev/null >/dev/null 2>&1
	printf '#!/bin/sh\nip link set tun9 up\nip addr add %s/24 dev tun9\n' \
		"$2" >"$dir/tinc-up"
	chmod +x "$dir/tinc-up"
}

# Keys are made once a run.
tinc_configs() {
	local dir=$RUN/tinc node
	[ ! -d "$dir" ] || return 0
	tinc_node s 10.72.0.1
	tinc_node a 10.72.0.2 "ConnectTo = s"
	tinc_node b 10.72.0.3 "ConnectTo = s"
	for node in s a b; do
		cp -n "$dir/$node/hosts/$node" "$dir/all.$node"
	done
	for node in s a b; do
		cp "$dir/all.a" "$dir/$node/hosts/a"
		cp "$dir/all.b" "$dir/$node/hosts/b"
		cp "$dir/all.s" "$dir/$node/hosts/s"
	done
	echo "Address = $S_FROM_A" >>"$dir/a/hosts/s"
	echo "Address = $S_FROM_B" >>"$dir/b/hosts/s"
}

tinc_daemon() {
	"$1" "$2" tincd -c "$RUN/tinc/$3" -D --pidfile="$RUN/tinc/$3.pid"
}

tinc_up() {
	address_a=10.72.0.2 address_b=10.72.0.3
	tinc_configs
	tinc_daemon spawn_server "$NS_S" s
	wait_for 5 is_listening "$NS_S" 655 ||
		{ reason="tincd does not listen"; return 1; }
	tinc_daemon spawn_client "$NS_A" a
	tinc_daemon spawn_client "$NS_B" b
}

register tinc "peers" "tcp1 tcp4 udp small rtt loaded verify" \
	"tincd" "tinc, TCPOnly" tinc_up
