#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Runs tests and keeps the tally.
#
#	tests/run.sh TALLY unit PROGRAM...	libcheck programs
#	tests/run.sh TALLY e2e SCRIPT...	end-to-end scripts
#	tests/run.sh TALLY gate NAME COMMAND...	one command that has to succeed
#	tests/run.sh TALLY summary		print it; the last line is
#						"N passed, N failed, N skipped"
#
# TALLY is a file to which each run adds lines "GROUP NAME PASSED FAILED
# SKIPPED".  A test that ends with 77 was skipped; its line "SKIP: ..." says
# why.  A passing test is one line, the output of a failing one is shown.
# Environment: LABEL is put behind the group's name ("unit (asan)"); TEST_BOUND
# is how long one test may take, in seconds.  The exit status is 1 if a test
# failed.

set -u

tally=$1
mode=$2
shift 2
label=${LABEL:+ ($LABEL)}
bound=${TEST_BOUND:-$((120 * ${WAIT_SCALE:-1}))}
failed=0
output=$(mktemp)
trap 'rm -f "$output"' EXIT
mkdir -p "$(dirname "$tally")"

# record GROUP NAME PASSED FAILED SKIPPED SECONDS
record() {
	local word=ok detail=
	printf '%s\t%s\t%d\t%d\t%d\n' "${@:1:5}" >>"$tally"
	if (($4 > 0)); then
		word=FAILED
		failed=1
	elif (($5 > 0)); then
		word=skip
		detail=$(sed -n 's/^SKIP: *//p' "$output" | head -1)
	fi
	(($3 + $4 <= 1)) || detail="$(($3 + $4)) checks"
	printf '  %-6s %-38s %5.1f s  %s\n' "$word" "$2" "$6" "$detail"
	(($4 == 0)) || sed 's/^/    | /' "$output"
}

# timed COMMAND...: output to $output; sets status and took (seconds).
timed() {
	local start=$EPOCHREALTIME
	timeout -k 15 "$bound" "$@" >"$output" 2>&1 </dev/null
	status=$?
	((status != 124)) || echo "not done after $bound s" >>"$output"
	took=$(echo "$EPOCHREALTIME $start" | awk '{ print $1 - $2 }')
}

run_unit() {
	local program counts checks bad
	for program; do
		timed "$program"
		counts=$(sed -nE 's/.*Checks: ([0-9]+), Failures: ([0-9]+), Errors: ([0-9]+).*/\1 \2 \3/p' \
			"$output" | awk '{ c += $1; b += $2 + $3 }
				END { if (NR) print c, b }')
		read -r checks bad <<<"${counts:-0 0}"
		if ((status == 77)); then
			set -- 0 0 1
		elif ((status == 0 && checks > 0 && bad == 0)); then
			set -- "$checks" 0 0
		elif ((bad > 0)); then
			set -- $((checks - bad)) "$bad" 0
		else
			echo "ended with status $status" >>"$output"
			set -- "$checks" 1 0
		fi
		record "unit$label" "$(basename "$program")" "$@" "$took"
	done
}

run_one() {
	local group=$1 name=$2
	shift 2
	timed "$@"
	case $status in
	0) set -- 1 0 0 ;;
	77) set -- 0 0 1 ;;
	*) set -- 0 1 0 ;;
	esac
	record "$group" "$name" "$@" "$took"
}

run_e2e() {
	local script
	for script; do
		run_one "end to end$label" "$(basename "$script" .sh)" \
			bash "$script"
	done
}

summary() {
	echo
	awk -F '\t' '
		!($1 in p) { order[++n] = $1 }
		{ p[$1] += $3; f[$1] += $4; s[$1] += $5 }
		$4 > 0 { bad = bad "  failed: " $1 ": " $2 "\n" }
		END {
			for (i = 1; i <= n; i++) {
				g = order[i]
				printf "  %-24s %5d passed %4d failed %4d skipped\n",
					g, p[g], f[g], s[g]
				P += p[g]; F += f[g]; S += s[g]
			}
			printf "%s", bad
			printf "%d passed, %d failed, %d skipped\n", P, F, S
			exit F > 0 || P == 0
		}' "$tally" || failed=1
}

case $mode in
unit) run_unit "$@" ;;
e2e) run_e2e "$@" ;;
gate) run_one "${GROUP:-gates}" "$@" ;;
summary) summary ;;
*) exit 2 ;;
esac
exit $failed
