# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# The Wireshark dissector under test, for the scripts that look at captures.

DISSECTOR=$TOP/docs/wireshark/simplevpn.lua

# Whoever runs the tests may have settings and plugins; none of them counts.
prepare_tshark() {
	command -v tshark >/dev/null || skip "there is no tshark"
	export HOME=$WORK XDG_CONFIG_HOME=$WORK/config LC_ALL=C.UTF-8
	mkdir -p "$XDG_CONFIG_HOME"
}

# dissect CAPTURE OPTION...: what tshark says, in $WORK/tshark too.
dissect() {
	local capture=$1
	shift
	timeout $((60 * WAIT_SCALE)) tshark -X "lua_script:$DISSECTOR" \
		-r "$capture" "$@" >"$WORK/tshark" 2>"$WORK/tshark.errors" ||
		fail "tshark: $(<"$WORK/tshark.errors")"
	! grep -i 'lua' "$WORK/tshark.errors" ||
		fail "tshark complains about the dissector"
	! grep -i 'lua error' "$WORK/tshark" || fail "an error in the dissector"
}

# Hex lines on stdin, bytes on stdout.
to_bytes() {
	local line
	while read -r line; do
		# shellcheck disable=SC2059 # the format is the bytes
		printf "$line"
	done < <(awk '{ gsub(/../, "\\\\x&"); print }')
}
