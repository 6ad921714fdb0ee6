#!/bin/bash
# SPDX-License-Identifier: MIT
#
# tests/mutate.sh [PATTERN]: takes each security check of tests/mutations.txt
# out, in a copy of the tree, and runs the test that has to fail then.  A check
# whose removal no test notices fails here.  PATTERN chooses checks by a part of
# their words.
#
# Environment: MUTATE_DIR, where the copy is made (a new one in TMPDIR); CC.

# shellcheck disable=SC2317	# run_* are called by their kind
set -u
top=$(cd "$(dirname "$0")/.." && pwd)
pattern=${1:-}
copy=${MUTATE_DIR:-$(mktemp -d)}
output=$copy/output
failed=0 n=0
[[ -n ${MUTATE_DIR:-} ]] || trap 'rm -rf "$copy"' EXIT
mkdir -p "$copy"
(cd "$top" && tar -c --exclude=./build --exclude=./.git --exclude='*.o' .) |
	tar -x -m -C "$copy"
cd "$copy" || exit 1
mode=mutate

build() {
	make -s MODE="$mode" "$@" >"$output" 2>&1
}

# run_unit MODULE TEST: 0 if just that test, or that among others, failed.
run_unit() {
	local program=build/$mode/tests/unit/test_$1
	build "$program" || return 2
	TOP=. timeout 120 "$program" >"$output" 2>&1
	grep -q "[FE]:[^:]*:$2:" "$output"
}

run_e2e() {
	build tests || return 2
	! make -s MODE="$mode" TALLY="$copy/tally" e2e \
		E2E="tests/e2e/$1.sh" >"$output" 2>&1
}

run_fuzz() {
	make -s FUZZ="$1" "build/replay/$1" >"$output" 2>&1 || return 2
	! "build/replay/$1" "tests/fuzz/corpus/$1" >"$output" 2>&1
}

result() {
	printf '%-8s %-66s %s\n' "$1" "$2" "$3"
	[[ $1 == noticed ]] || failed=1
}

try() {
	local check=$1 file=${2%% *} change=$4 kind name test
	read -r kind name test <<<"$3"
	[[ $check == *$pattern* ]] || return
	n=$((n + 1))
	cp "$file" original
	perl -0777 -pi -e "$change" "$file"
	if cmp -s "$file" original; then
		result stale "$check" "the change fits nothing in $file"
		return
	fi
	"run_$kind" "$name" "$test"
	case $? in
	0) result noticed "$check" "${test:-$name}" ;;
	1) result MISSED "$check" "${test:-$name} passes" ;;
	*)
		result broken "$check" "does not build"
		cat "$output"
		;;
	esac
	cp original "$file"
}

# Without changes they pass: what fails afterwards fails for the change.
sound() {
	local modules program
	modules=$(awk '$1 == "test:" && $2 == "unit" { print $3 }' \
		tests/mutations.txt | sort -u | tr '\n' ' ')
	make -s MODE="$mode" UNITS="$modules" TALLY="$copy/tally" unit \
		>"$output" 2>&1 && return
	cat "$output"
	echo "tests fail before anything is changed"
	exit 1
}

[[ -n $pattern ]] || sound
while IFS=$'\t' read -r word rest; do
	case $word in
	check:) check=$rest ;;
	where:) where=$rest ;;
	test:) test=$rest ;;
	change:) try "$check" "$where" "$test" "$rest" </dev/null ;;
	esac
done <tests/mutations.txt

# Each one is in the document, under the name of its test.
while read -r kind name test; do
	grep -q "${test:-$name}" docs/security-checks.md ||
		result missing "${test:-$name}" "not in docs/security-checks.md"
done < <(sed -n 's/^test:\t//p' tests/mutations.txt)

echo "$n checks taken out"
exit $failed
