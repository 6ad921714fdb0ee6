# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# What the scripts about faults share, behind lib.sh: programs run under the
# fault shim (tests/faults/shim.c), packets that carry their own hash, and
# hostile connections.
# Environment: HASHED, HOSTILE, SHIM (where these are), SEED.

TOOLS=$(dirname "$RAW")
HASHED=$(realpath -m "${HASHED:-$TOOLS/hashed}")
HOSTILE=$(realpath -m "${HOSTILE:-$TOOLS/hostile}")
SHIM=$(realpath -m "${SHIM:-$TOOLS/../faults/shim.so}")
SEED=${SEED:-1}
export SEED

# set_shim VARIABLE=VALUE...: programs started with "${SHIMMED[@]}" in front
# have their calls fail that way.  A sanitizer's library would rather be first.
set_shim() {
	# shellcheck disable=SC2034 # the scripts use it
	SHIMMED=(env "LD_PRELOAD=$SHIM" "FAULT_SEED=$SEED"
		"ASAN_OPTIONS=${ASAN_OPTIONS:-}:verify_asan_link_order=0" "$@")
}

# The value of KEY in a file of key=value lines, in REPLY; 0 without one.
value_of() { # FILE KEY
	REPLY=$(sed -n "s/^$2=//p" "$1" | tail -n 1)
	REPLY=${REPLY:-0}
}

# hashed_hub NAMESPACE OPTION...: hashed packets between clients there.  The
# test fails if one was altered, repeated or reordered.
hashed_hub() {
	local where=$1
	shift
	ns "$where" "$HASHED" hub "$SERVER" "${PORT:-2002}" "$@" \
		>"$WORK/hashed" 2>&1 ||
		fail "hashed packets: $(tr '\n' ' ' <"$WORK/hashed")"
	say_hashed
}

say_hashed() {
	local key line=
	for key in seed bytes seconds received lost corrupt duplicate reordered; do
		value_of "$WORK/hashed" "$key"
		line+=" $key $REPLY"
	done
	say "hashed:$line"
}

nothing_lost() {
	value_of "$WORK/hashed" lost
	((REPLY == 0)) || fail "$REPLY packets were lost"
}

# How long the command took, in TOOK (ms).
# shellcheck disable=SC2034 # the scripts use it
timed() {
	local start
	now_ms
	start=$REPLY
	"$@" || fail "$*"
	now_ms
	TOOK=$((REPLY - start))
}

# The server's memory in KiB, in REPLY.
srv_memory() {
	REPLY=$(awk '/^VmRSS/ { print $2 }' "/proc/${PID[srv]}/status")
}

# Clock ticks (10 ms) that the server has used so far, in REPLY.
srv_ticks() {
	local -a stat
	read -r -a stat <"/proc/${PID[srv]}/stat"
	REPLY=$((stat[13] + stat[14]))
}

# End a base client of raw_start, so that its name can be used again.
raw_end() { # NAME
	local in=${TO[$1]} out=${FROM[$1]}
	{ kill "${PID[$1]}" && wait "${PID[$1]}"; } 2>/dev/null
	exec {in}>&- {out}>&-
	rm "$WORK/$1.to" "$WORK/$1.from"
	unset "PID[$1]"
}

# Connections of namespace cN may come from any address of 198.18.0.0/16.
add_sources() { # N
	ip -n "$PREFIX-c$1" route add local 198.18.0.0/16 dev lo
	ip -n "$PREFIX-s" route add 198.18.0.0/16 via "192.0.2.$((10 + $1))"
}

# start_hostile NAME NAMESPACE WORD...: holds its connections until it is
# stopped or the server has closed them all.
start_hostile() {
	local name=$1 where=$2 never
	shift 2
	mkfifo "$WORK/$name.in"
	: >"$WORK/$name.log"
	exec {never}<>"$WORK/$name.in"
	start "$name" "$where" "$HOSTILE" "$@" <&"$never"
	wait_for "$name to be connected" log_has "$name" '^connected'
}

# Let nothing of namespace cN pass any more, in either direction and without a
# word: what a cut cable or a dead middlebox looks like.
cut_off() {
	ns "c$1" nft -f - <<-END || fail "nft"
		table inet cut {
			chain in { type filter hook input priority 0;
				iifname "eth0" drop; }
			chain out { type filter hook output priority 0;
				oifname "eth0" drop; }
		}
	END
}

mend() { ns "c$1" nft delete table inet cut; }


# The server has logged the end of the client that had this address.
left() { log_has srv "${1//./\\.} left"; }
