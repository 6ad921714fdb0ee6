#!/bin/bash
# SPDX-License-Identifier: MIT
#
# tests/coverage.sh BUILD_DIRECTORY: how much of each source file has been run
# since it was built with --coverage, by gcov.  With MISSED=server (or a file's
# path) the lines of it that were not are shown.  The exit status is 1 if a
# directory is below its target.

set -u
targets="proto 95 server 90"

find "$1" -name '*.gcno' ! -path '*/tests/*' | sort | while read -r data; do
	gcov --stdout --object-directory "$(dirname "$data")" "$data" \
		2>/dev/null
done | awk -F: -v targets="$targets" -v missed="${MISSED:-}" '
	# "        5:   31:	text", "    #####: ...", "        -: ..."
	$3 == "Source" {
		file = $4
		ours = file ~ /^(proto|common|server|client)\/.*\.c$/
		next
	}
	!ours || $1 ~ /-$/ { next }
	# A file may have been built more than once: any of them counts.
	{
		place = file SUBSEP $2
		seen[place] = file
		if ($1 !~ /[#=]$/)
			hit[place] = 1
		text[place] = $0
	}
	function tally(	place, file, path, line) {
		for (place in seen) {
			file = seen[place]
			split(file, path, "/")
			lines[file]++
			of_directory[path[1]]++
			if (place in hit) {
				run[file]++
				run_of[path[1]]++
			} else if (missed != "" && index(file, missed) == 1) {
				line = text[place]
				sub(/^[^:]*: */, "", line)
				print file ":" line | "sort -t: -k1,1 -k2,2n"
			}
		}
		close("sort -t: -k1,1 -k2,2n")
	}
	END {
		tally()
		printf "%-32s %8s %8s\n", "file", "lines", "executed"
		for (file in lines)
			printf "%-32s %8d %7.1f%%\n", file, lines[file],
				100 * run[file] / lines[file] | "sort"
		close("sort")
		n = split(targets, target, " ")
		for (i = 1; i < n; i += 2)
			goal[target[i]] = target[i + 1]
		for (directory in of_directory) {
			share = 100 * run_of[directory] / \
				of_directory[directory]
			note = ""
			if (directory in goal) {
				note = "  of " goal[directory] "% wanted"
				bad += share < goal[directory]
			}
			printf "%-32s %8d %7.1f%%%s\n", directory "/",
				of_directory[directory], share, note | "sort"
		}
		close("sort")
		exit bad > 0
	}'
