#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The Debian package: it builds, lintian has nothing to say, and on a Debian
# system it installs, runs as its own user, is upgraded without losing what an
# administrator changed, and goes without a trace.
#
# That system is this one, below an overlay in a mount namespace of its own:
# what dpkg writes goes to memory and is gone with the namespace.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# --- inside: root of the overlay, own network, nothing of the host ---

version_is() { [[ $(dpkg-query -f '${Status} ${Version}' -W simplevpn) == "install ok installed $1" ]]; }

quiet() { "$@" >/output 2>&1 || fail "$*: $(</output)"; }

# serve PORT COMMAND...: it serves a client as another user, and ends well.
serve() {
	local port=$1 pid
	shift
	"$@" >/srv.log 2>&1 &
	pid=$!
	wait_for "the hub to serve" listens "$pid" "$port"
	"$RAW" 127.0.0.1 "$port" "join dynamic" >/output 2>&1 ||
		fail "a client cannot join: $(</output) $(</srv.log)"
	# The client's thread may end meanwhile.
	cat "/proc/$pid"/task/*/status 2>/dev/null |
		awk -v uid="$(id -u simplevpn)" '
			$1 == "Uid:" { n++ }
			$1 == "Uid:" && ($2 != uid || $3 != uid) { bad = 1 }
			$1 == "CapEff:" && $2 !~ /^0*$/ { bad = 1 }
			END { exit bad || n < 5 }' || fail "it keeps privileges"
	kill "$pid"
	wait "$pid" || fail "it ended with $?: $(</srv.log)"
}

# What the package has to do with: names, and what stands in /etc.
traces() {
	find /etc /lib/systemd /run /usr /var -xdev -name '*simplevpn*' \
		! -path '/usr/share/lintian/*' | sort
	find /etc -xdev -type f ! -name '*passwd*' ! -name '*group*' \
		! -name '*shadow*' ! -name '*sub[ug]id*' ! -name '.pwd.lock' \
		! -name ld.so.cache -exec sha256sum {} + | sort -k 2
}

inside() {
	local unit=(setpriv --reuid simplevpn --regid simplevpn --clear-groups
		--inh-caps +net_admin --ambient-caps +net_admin
		--bounding-set "-all,+net_admin" --no-new-privs)
	export DEBIAN_FRONTEND=noninteractive
	exec </dev/null
	ip link set lo up
	dpkg -P simplevpn >/dev/null 2>&1
	traces >/before

	quiet dpkg -i /new.deb
	version_is 0.1.0 || fail "not installed"
	[[ $(stat -c '%a %U %G' /run/simplevpn) == "1775 root simplevpn" ]] ||
		fail "/run/simplevpn: $(stat -c '%a %U %G' /run/simplevpn)"
	[[ ! -e /etc/systemd/system/multi-user.target.wants/simplevpn-srv.service ]] ||
		fail "the hub was enabled by itself"
	quiet man -w simplevpn-srv simplevpn-cli simplevpn-srv.conf
	# As somebody tries it, and as the unit starts it.
	serve 2002 simplevpn-srv
	serve 2002 "${unit[@]}" simplevpn-srv

	# Upgrades: with the same shipped file, then with another.
	sed -i 's/^#\? *port = .*/port = 2003/' /etc/simplevpn/srv.conf
	quiet simplevpn-srv --test-config
	quiet dpkg -i /newer.deb
	version_is 0.1.1 || fail "not upgraded"
	serve 2003 simplevpn-srv
	quiet dpkg -i --force-confdef --force-confold /newest.deb
	version_is 0.1.2 || fail "not upgraded"
	serve 2003 simplevpn-srv
	grep -q newer /etc/simplevpn/srv.conf.dpkg-dist ||
		fail "the shipped file is not beside the changed one"

	quiet dpkg -r simplevpn
	[[ ! -e /usr/sbin/simplevpn-srv ]] || fail "still there after removal"
	grep -qx 'port = 2003' /etc/simplevpn/srv.conf ||
		fail "removal has taken the configuration"
	quiet dpkg -P simplevpn
	traces >/after
	diff /before /after >/output || fail "purge left: $(</output)"
}

if [[ ${1:-} == inside ]]; then
	inside
	exit
fi

# --- outside: the packages, and the overlay ---

# again VERSION NAME [CONFIGURATION-LINE]: the package as a later one.
again() {
	rm -rf "$WORK/again"
	dpkg-deb -R "$WORK/new.deb" "$WORK/again" ||
		fail "cannot take the package apart"
	sed -i "s/^Version: .*/Version: $1/" "$WORK/again/DEBIAN/control"
	[[ -z ${3:-} ]] || echo "# $3" >>"$WORK/again/etc/simplevpn/srv.conf"
	dpkg-deb -b "$WORK/again" "$WORK/$2" >/dev/null ||
		fail "cannot put the package together"
}

set_up 0
# What make needs is what the package needs; these come with the compiler.
while read -r package; do
	[[ $package == libc6-dev || $package == linux-libc-dev ]] ||
		grep -qw -e "$package" "$TOP/debian/control" ||
		fail "debian/control: no Build-Depends on $package"
done < <(sed -n '/^needs_of_build/,/^}/s/.* \([a-z0-9.+-]*-dev\)$/\1/p' \
	"$TOP/tests/setup.sh")
debian=$TOP/debian/build.sh
"$debian" "$WORK/deb" >"$WORK/build" 2>&1 ||
	fail "$debian: $(tail -40 "$WORK/build")"
cp "$WORK"/deb/simplevpn_0.1.0_*.deb "$WORK/new.deb"
again 0.1.1 newer.deb
again 0.1.2 newest.deb "newer"

cat >"$WORK/enter" <<-END
	set -e
	mount -t tmpfs tmpfs "$WORK/overlay"
	cd "$WORK/overlay"
	mkdir upper work root
	mount -t overlay overlay \
		-o lowerdir=/,upperdir=upper,workdir=work root || exit 77
	mount -t proc proc root/proc
	mount --rbind /dev root/dev
	mount -t tmpfs tmpfs root/run
	mount -t tmpfs tmpfs root/var/cache/man
	cp "$WORK"/*.deb root/
	exec chroot root env RAW="$RAW" SRV="$SRV" PATH="$PATH" \
		bash "$TOP/tests/e2e/89-package.sh" inside
END
mkdir "$WORK/overlay"
timeout 100 unshare --mount --pid --net --fork --kill-child \
	bash "$WORK/enter" >"$WORK/log" 2>&1
status=$?
((status != 77)) || skip "no overlay on this file system: $(<"$WORK/log")"
((status == 0)) || fail "in the overlay: $(<"$WORK/log")"
