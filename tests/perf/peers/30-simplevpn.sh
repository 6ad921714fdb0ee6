# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # variables that the files share
# SPDX-License-Identifier: MIT
#
# simplevpn with its default options. The programs are copied at the start, so
# that all rounds run the same ones whatever is built meanwhile.

readonly SRV=$RUN/srv CLI=$RUN/cli

copy_programs() {
	{ cp "${BENCH_SRV:-./srv}" "$SRV" &&
		cp "${BENCH_CLI:-./cli}" "$CLI"; } ||
		say "bench: srv and cli are not built: their rows are left out"
}

# simplevpn_with CONGESTION: "" leaves the programs' own default.
simplevpn_with() {
	local options=(${1:+--congestion "$1"})
	[ -x "$SRV" ] || { reason="srv and cli are not built"; return 1; }
	address_a=10.0.0.10 address_b=10.0.0.11
	spawn_server "$NS_S" "$SRV" "${options[@]}"
	wait_for 5 is_listening "$NS_S" 2002 ||
		{ reason="srv does not listen"; return 1; }
	spawn_client "$NS_A" "$CLI" -s "$S_FROM_A" -a "$address_a" \
		"${options[@]}"
	spawn_client "$NS_B" "$CLI" -s "$S_FROM_B" -a "$address_b" \
		"${options[@]}"
}

simplevpn_up() {
	simplevpn_with "$congestion"
}

simplevpn_kernel_up() {
	simplevpn_with kernel
}

register simplevpn "e2e peers congestion" \
	"tcp1 tcp4 udp small rtt loaded verify" \
	"" "simplevpn" simplevpn_up
register simplevpn_kernel "e2e peers" \
	"tcp1 tcp4 udp small rtt loaded verify" \
	"" "simplevpn, --congestion kernel" simplevpn_kernel_up
