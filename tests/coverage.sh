#!/bin/bash
# SPDX-License-Identifier: MIT
#
# tests/coverage.sh BUILD_DIRECTORY: how much of each source file has been run
# since it was built with --coverage, by gcov.

set -u
printf '%-32s %8s %8s\n' file lines executed
find "$1" -name '*.gcda' ! -path '*/tests/*' | sort | while read -r data; do
	gcov --no-output --object-directory "$(dirname "$data")" "$data" 2>/dev/null
done | awk -F "[':%]" '
	/^File/ { file = $2 }
	/^Lines executed/ && file ~ /^(proto|common|server|client)\/.*\.c$/ {
		split($4, of, " ")
		share[file] = $2
		lines[file] = of[2]
	}
	END {
		for (file in lines)
			printf "%-32s %8d %7.1f%%\n", file, lines[file],
				share[file] | "sort"
		close("sort")
		for (file in lines) {
			all += lines[file]
			run += lines[file] * share[file] / 100
		}
		if (all)
			printf "%-32s %8d %7.1f%%\n", "all", all, 100 * run / all
	}'
