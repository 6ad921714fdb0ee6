# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # variables that the files share
# SPDX-License-Identifier: MIT
#
# What the results say: tables on stdout, and docs/benchmarks.md with its plot.

readonly MACHINE=$BUILD/machine
readonly REPORT=${BENCH_REPORT:-docs/benchmarks.md}

version_of_package() {
	dpkg-query -W -f '${Version}' "$1" 2>/dev/null || echo "not installed"
}

cpu_model() {
	sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1
}

record_machine() {
	local package memory
	memory=$(awk '/^MemTotal/ { printf "%.0f", $2 / 1048576 }' \
		/proc/meminfo)
	{
		echo "- Processors: $(nproc), $(cpu_model); $memory GiB"
		echo "- Linux $(uname -r | sed 's/-.*//')," \
			"TCP congestion control" \
			"$(cat /proc/sys/net/ipv4/tcp_congestion_control);" \
			"$(sed -n 's/^PRETTY_NAME="\(.*\)"/\1/p' \
			/etc/os-release)"
		echo "- Rounds: $ROUNDS; seconds a measurement:" \
			"$SECONDS_EACH; $(date +%Y-%m-%d)"
		echo "- simplevpn: $("$SRV" --version 2>/dev/null | head -n 1)"
		for package in iperf3 socat openvpn softether-vpnserver \
			ocserv openconnect tinc vtun; do
			echo "- $package $(version_of_package $package)"
		done
	} >"$MACHINE"
}

titles() {
	local name
	for name in "${subject_names[@]}"; do
		echo "$name|${subject_title[$name]}"
	done
}

tables() {
	awk -v titles="$(titles)" -v idle="$HUB_IDLE" -f tests/perf/stats.awk \
		-f tests/perf/tables.awk "$RESULTS"
}

chart() {
	awk -v titles="$(titles)" -f tests/perf/stats.awk \
		-f tests/perf/chart.awk "$RESULTS"
}

document() {
	cat <<-EOF
		# Benchmarks

		Made by \`make bench\`: run it again rather than edit the
		figures. \`make bench PARTS="hub e2e peers congestion"\` names
		the parts; \`tests/perf/bench.sh setup\` installs the peers.
		Absolute figures are those of one machine. What travels is the
		ratios: each is taken within one round, and the median over the
		rounds is shown.

		![Throughput, processor time and round trips]($(basename \
			"${REPORT%.md}.svg"))

		## Results

		$(tables)

		## The machine and the versions

		$(cat "$MACHINE")

		$(cat tests/perf/notes.md)
	EOF
}

# report [write]
report() {
	[ -s "$RESULTS" ] || { say "bench: there are no results"; return 1; }
	tables
	[ "${1:-}" = write ] || return 0
	document | sed 's/^\t*//' >"$REPORT"
	chart >"${REPORT%.md}.svg"
	say "written: $REPORT ${REPORT%.md}.svg"
}
