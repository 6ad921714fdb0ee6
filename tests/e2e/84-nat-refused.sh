#!/bin/bash
# SPDX-License-Identifier: MIT
#
# --nat that cannot be done: srv says why, ends, and leaves nothing behind.

# shellcheck disable=SC2016	# another shell expands these
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# refused STATUS PART COMMAND...: in the gateway's namespace.
refused() {
	local status=$1 part=$2
	shift 2
	ns s timeout $((20 * WAIT_SCALE)) "$@" >"$WORK/refused" 2>&1 </dev/null
	REPLY=$?
	say "$(<"$WORK/refused")"
	((REPLY == status)) || fail "status $REPLY instead of $status: $*"
	grep -qE -e "$part" "$WORK/refused" || fail "does not say: $part"
	nat_tables
	[[ -z $REPLY ]] || fail "left behind: $REPLY"
	[[ $(forwarding) == 0 ]] || fail "forwarding is on"
}


set_up 0
add_world
[[ $(forwarding) == 0 ]] || skip "namespaces are made with forwarding on"
refused 1 'there is no interface "eth7"' "$SRV" --nat eth7
refused 1 'is the tunnel itself' "$SRV" --nat tun7 --tun tun7
refused 2 'an interface name' "$SRV" --nat 'up0 x'
refused 2 'needs the TUN' "$SRV" --nat up0 --no-tun
ip -n "$PREFIX-s" link add 'a"b' type dummy
refused 1 'names of letters' "$SRV" --nat 'a"b'
ip -n "$PREFIX-s" link add 'up*' type dummy
refused 1 'names of letters' "$SRV" --nat 'up*'

bind='mount --bind "$1" "$(command -v nft)" && shift && exec "$@"'
printf '#!/bin/sh\necho "Error: out of luck"\necho more\nexit 1\n' \
	>"$WORK/failing"
# It lists tables, and fails in the end.
printf '#!/bin/sh\n[ "$1" = list ] && exit 0\necho "Error: no"\nexit 3\n' \
	>"$WORK/late"
printf '#!/bin/sh\nkill -9 $$\n' >"$WORK/dying"
chmod +x "$WORK"/failing "$WORK"/late "$WORK"/dying
refused 1 'nft failed \(exit code 1\): Error: out of luck$' \
	sh -c "$bind" sh "$WORK/failing" "$SRV" --nat up0
refused 1 'nft failed \(exit code 3\): Error: no$' \
	sh -c "$bind" sh "$WORK/late" "$SRV" --nat up0
refused 1 'nft failed \(exit code 137\)' \
	sh -c "$bind" sh "$WORK/dying" "$SRV" --nat up0
refused 1 'nft, which is not installed: apt install nftables' \
	sh -c 'mount -t tmpfs none "$(dirname "$(command -v nft)")" &&
		exec "$@"' sh "$SRV" --nat up0
refused 1 'cannot turn forwarding on: .*net.ipv4.ip_forward=1' \
	sh -c 'mount --bind -o ro /proc/sys /proc/sys &&
		mount -o remount,bind,ro /proc/sys && exec "$@"' \
	sh "$SRV" --nat up0
