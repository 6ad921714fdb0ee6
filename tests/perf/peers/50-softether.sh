# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # variables that the files share
# SPDX-License-Identifier: MIT
# SoftEther VPN, its own protocol over one TCP connection.

readonly SOFTETHER_PORT=5555

# Its server and client keep their state and control sockets where the package
# says, so each runs with directories of its own.
softether_command() {
	in_ns "$1" timeout 20 vpncmd "${@:2}" >>"$RUN/vpncmd.log" 2>&1
}

softether_hub() {
	local server=("$NS_S" "127.0.0.1:$SOFTETHER_PORT" /SERVER)
	local hub=("${server[@]}" /ADMINHUB:bench /CMD)
	wait_for 20 softether_command "${server[@]}" /CMD HubCreate bench \
		/PASSWORD:bench || return 1
	softether_command "${hub[@]}" ExtOptionSet DisableUdpAcceleration \
		/VALUE:1 &&
	softether_command "${hub[@]}" UserCreate bench /GROUP:none \
		/REALNAME:none /NOTE:none &&
		softether_command "${hub[@]}" UserPasswordSet bench \
			/PASSWORD:bench
}

# softether_client NAMESPACE SERVER ADDRESS yes|no
softether_client() {
	local client=("$1" 127.0.0.1 /CLIENT /CMD)
	spawn_client "$1" "${PRIVATE[@]}" \
		/usr/libexec/softether/vpnclient/vpnclient execsvc
	wait_for 20 softether_command "${client[@]}" NicCreate bench || return 1
	softether_command "${client[@]}" AccountCreate bench \
		"/SERVER:$2:$SOFTETHER_PORT" /HUB:bench /USERNAME:bench \
		/NICNAME:bench
	softether_command "${client[@]}" AccountPasswordSet bench \
		/PASSWORD:bench /TYPE:standard
	[ "$4" = yes ] ||
		softether_command "${client[@]}" AccountEncryptDisable bench
	softether_command "${client[@]}" AccountConnect bench
	wait_for 5 ip -n "$1" link show dev vpn_bench || return 1
	ip -n "$1" addr add "$3/24" dev vpn_bench
	ip -n "$1" link set vpn_bench up
}

softether_up() {
	address_a=10.75.0.2 address_b=10.75.0.3
	spawn_server "$NS_S" "${PRIVATE[@]}" \
		/usr/libexec/softether/vpnserver/vpnserver execsvc
	softether_hub || { reason="vpnserver cannot be configured"; return 1; }
	{ softether_client "$NS_A" "$S_FROM_A" "$address_a" "$1" &&
		softether_client "$NS_B" "$S_FROM_B" "$address_b" "$1"; } ||
		{ reason="vpnclient cannot be configured"; return 1; }
}

register softether-tls "peers" "tcp1 tcp4 udp small rtt loaded verify" \
	"vpnserver vpnclient vpncmd" "SoftEther, TLS" softether_up yes
register softether-plain "peers congestion" \
	"tcp1 tcp4 udp small rtt loaded verify" \
	"vpnserver vpnclient vpncmd" "SoftEther, no encryption" softether_up no
