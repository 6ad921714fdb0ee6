#!/bin/bash
# SPDX-License-Identifier: MIT
#
# What compilers do not say: cppcheck, clang-tidy, shellcheck, and the rules of
# this tree that grep can check.  Ends with 1 if any of them has something.

set -u
cd "$(dirname "$0")/.." || exit 1
bad=0
mapfile -t c_files < <(find proto common server client tests -name '*.[ch]' | sort)
mapfile -t sources < <(printf '%s\n' "${c_files[@]}" | grep '\.c$')
mapfile -t scripts < <(find tests common debian .ci -name '*.sh' -o -path .ci/run | sort)

complain() {
	echo "lint: $1"
	bad=1
}

# forbid TITLE GREP-ARGUMENTS...: no line may match.
forbid() {
	local title=$1
	shift
	if grep -n "$@"; then
		complain "$title"
	fi
}

shellcheck "${scripts[@]}" || complain shellcheck

# uninitvar: it believes that an array filled by a loop may be empty.
cppcheck --quiet --std=c11 --language=c -D_GNU_SOURCE -I. --inline-suppr \
	--enable=warning,performance,portability --error-exitcode=1 \
	--suppress=missingIncludeSystem --suppress=uninitvar:tests/unit/packets.h \
	"${sources[@]}" || complain cppcheck

# The product's own code; for tests it costs more than it finds.
mapfile -t product < <(printf '%s\n' "${sources[@]}" | grep -v ^tests/)
tidy='clang-tidy --quiet "$@" -- -std=c11 -D_GNU_SOURCE -I. 2>/dev/null'
printf '%s\n' "${product[@]}" | xargs -P "$(nproc)" -n 8 sh -c "$tidy" sh ||
	complain clang-tidy

# Dependencies point one way: proto <- common <- {server, client}.
forbid "proto/ uses other modules" -E '#include "(common|server|client)/' \
	proto/*.[ch]
forbid "common/ uses a program's module" -E '#include "(server|client)/' \
	common/*.[ch]
forbid "the server uses the client" '#include "client/' server/*.[ch]
forbid "the client uses the server" '#include "server/' client/*.[ch]
forbid "space at the end of a line" -E '[[:space:]]+$' "${c_files[@]}" \
	"${scripts[@]}" Makefile
forbid "not finished" -wE 'TO[D]O|FIX[M]E|X[X]X' "${c_files[@]}" "${scripts[@]}"
for file in "${c_files[@]}" "${scripts[@]}"; do
	head -3 "$file" | grep -q 'SPDX-License-Identifier: MIT' ||
		complain "$file: no licence line"
done
for file in "${c_files[@]}"; do
	expand "$file" | awk -v file="$file" 'length > 80 {
		print file ":" NR ": over 80 columns"; bad = 1
	} END { exit bad }' || complain "long lines"
done
exit $bad
