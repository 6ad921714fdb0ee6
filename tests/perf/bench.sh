#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The benchmark: everything in one go, interleaved, in rounds, so that what the
# machine does meanwhile hits all alike; what counts are ratios within a round.
# Wants root, for network namespaces and TUN interfaces.
#
#	bench.sh [PART]...	hub, e2e, peers, congestion; all by default
#	bench.sh setup		install the peers from Debian, services kept off
#	bench.sh report		the tables and plot again, from the last results
#
# BENCH_ROUNDS (3), BENCH_SECONDS (5, of one measurement), BENCH_SUBJECTS (names
# of some, for a quick look), BENCH_SRV and BENCH_CLI (./srv, ./cli). A run of
# all parts rewrites docs/benchmarks.md and docs/benchmarks.svg; BENCH_WRITE=1
# makes any run do so.
set -u -o pipefail
cd "$(dirname "$0")/../.." || exit 1

# shellcheck source=tests/perf/lib.sh
. tests/perf/lib.sh
# shellcheck source=tests/perf/e2e.sh
. tests/perf/e2e.sh
for file in tests/perf/peers/*.sh; do
	# shellcheck source=/dev/null
	. "$file"
done
# shellcheck source=tests/perf/hub.sh
. tests/perf/hub.sh
# shellcheck source=tests/perf/report.sh
. tests/perf/report.sh

HZ=$(getconf CLK_TCK)
readonly HZ
readonly ALL_PARTS="hub e2e peers congestion"
round=0 subject='' congestion=''

readonly POLICY=/usr/sbin/policy-rc.d

# While packages are installed, nothing of theirs may start.
deny_services() {
	[ ! -e $POLICY ] || mv $POLICY $POLICY.kept
	printf '#!/bin/sh\nexit 101\n' >$POLICY
	chmod +x $POLICY
}

allow_services() {
	rm -f $POLICY
	[ ! -e $POLICY.kept ] || mv $POLICY.kept $POLICY
}

# Nor at the next start of the machine.
disable_units_of() {
	local unit
	command -v systemctl >/dev/null || return 0
	dpkg -L "$1" | sed -n 's|.*/systemd/system/\([^/@]*\.\)|\1|p' |
		grep -E '\.(service|socket)$' |
		while read -r unit; do
			systemctl disable "$unit" >/dev/null 2>&1
		done
	return 0
}

setup() {
	local package missing=()
	for package in gcc libc6-dev iproute2 procps iputils-ping openssl jq \
		socat iperf3 openvpn ocserv openconnect tinc vtun \
		softether-vpnserver softether-vpnclient softether-vpncmd; do
		dpkg-query -W -f '${Status}' "$package" 2>/dev/null |
			grep -q ' installed$' || missing+=("$package")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	trap allow_services EXIT
	deny_services
	DEBIAN_FRONTEND=noninteractive apt-get install -y \
		--no-install-recommends "${missing[@]}" || return
	for package in "${missing[@]}"; do
		disable_units_of "$package"
	done
}

check_needs() {
	[ "$(id -u)" = 0 ] || { say "bench: wants root"; exit 4; }
	local program
	for program in ip iperf3 jq socat ping pgrep ss; do
		command -v $program >/dev/null || {
			say "bench: $program is missing: try '$0 setup'"
			exit 1
		}
	done
}

# A fast wrong answer does not count: false, with what was wrong, if a row of
# simplevpn or its hub has something altered, repeated, failed or left out.
ours_are_right() {
	awk -F '\t' '
		$2 !~ /^(simplevpn|hub-)/ { next }
		$3 == "reason" || $4 > 0 && ($3 ~ /corrupt|duplicate|_failed/ ||
		$3 ~ /^(reordered|ended|idle_closed|checksum_errors)$/) {
			print "bench: wrong: round " $1 ", " $2 ": " $3 " " $4
			wrong = 1
		}
		END { exit wrong }' "$RESULTS" >&2
}

# e2e and peers share their ceilings: one round has each subject once.
round_of_subjects() {
	local name part
	for name in "${subject_names[@]}"; do
		for part in "$@"; do
			if wanted "$part" "$name"; then
				run_subject "$name"
				break
			fi
		done
	done
}

run_parts() {
	local parts=" $* " tunnels=()
	[[ $parts != *" e2e "* ]] || tunnels+=(e2e)
	[[ $parts != *" peers "* ]] || tunnels+=(peers)
	for ((round = 1; round <= ROUNDS; round++)); do
		[[ $parts != *" hub "* ]] || round_of_hub
		round_of_subjects "${tunnels[@]}"
		[[ $parts != *" congestion "* ]] || round_of_congestion
	done
}

main() {
	local part parts=${*:-$ALL_PARTS}
	case $parts in
	setup) setup; return ;;
	report) report write; return ;;
	esac
	for part in $parts; do
		[[ " $ALL_PARTS " == *" $part "* ]] ||
			{ say "bench: no part '$part'"; return 2; }
	done
	check_needs
	trap at_exit EXIT
	trap 'exit 130' INT TERM
	build_tools || return
	copy_programs
	: >"$RESULTS"
	record_machine
	# shellcheck disable=SC2086 # words
	run_parts $parts
	if [ "$parts" = "$ALL_PARTS" ] || [ -n "${BENCH_WRITE:-}" ]; then
		report write
	else
		report
	fi
	ours_are_right
}

main "$@"
