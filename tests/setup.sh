#!/bin/bash
# SPDX-License-Identifier: MIT
#
# What this machine needs for a purpose:
#
#	tests/setup.sh build|demo|deb|check|ci		install what is missing
#	tests/setup.sh --only-look build|demo|deb|check|ci	say what is missing
#
# A need is a program or a header, and the Debian package that has it.  As root
# on a machine with apt-get the packages are installed; elsewhere the names are
# printed and the exit status is 1.

set -u

CC=${CC:-cc}

has_program() { command -v "$1" >/dev/null; }

has_header() {
	echo "#include <$1>" | "$CC" -E -x c - >/dev/null 2>&1
}

has_file() { compgen -G "$1" >/dev/null; }

# need KIND WHAT PACKAGE
missing=()
need() {
	"has_$1" "$2" || missing+=("$3")
}

needs_of_build() {
	need program make make
	need program "${CC%% *}" gcc
	need header stdio.h libc6-dev
	need header linux/if_tun.h linux-libc-dev
	need header libmnl/libmnl.h libmnl-dev
	need header microhttpd.h libmicrohttpd-dev
}

needs_of_demo() {
	needs_of_build
	need program ip iproute2
	need program ping iputils-ping
	need program socat socat
	need program nft nftables
}

needs_of_deb() {
	needs_of_build
	need program dh debhelper
	need program dpkg-buildpackage dpkg-dev
	need program pkg-config pkg-config
	need program lintian lintian
}

needs_of_check() {
	needs_of_demo
	need header check.h check
	need program pkg-config pkg-config
	need program nm binutils
	need program setpriv util-linux
	need program jq jq
	need program resolvconf openresolv
	need program tcpdump tcpdump
	need program tshark tshark
	need program mandoc mandoc
	need program python3 python3
	need program chromium chromium
	need program curl curl
	need program jq jq
	need program python3 python3
	needs_of_deb
	need program systemd-analyze systemd
	need program zsh zsh
	need program systemd-nspawn systemd-container
}

needs_of_ci() {
	needs_of_check
	need program clang clang
	need file '/usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer-*' \
		libclang-rt-dev
	need program clang-tidy clang-tidy
	need program cppcheck cppcheck
	need program shellcheck shellcheck
	need program promtool prometheus	# starts a daemon where it can
}

look=no
if [[ ${1:-} == --only-look ]]; then
	look=yes
	shift
fi
purpose=${1:-}
case $purpose in
build | demo | deb | check | ci) ;;
*)
	echo "usage: tests/setup.sh [--only-look] build|demo|deb|check|ci" >&2
	exit 2
	;;
esac

"needs_of_$purpose"
((${#missing[@]} > 0)) || exit 0
mapfile -t missing < <(printf '%s\n' "${missing[@]}" | sort -u)
if [[ $look == yes || $(id -u) != 0 ]] || ! has_program apt-get; then
	cat >&2 <<-END
		simplevpn: this needs packages that are missing: ${missing[*]}
		simplevpn: on Debian, as root: apt-get install ${missing[*]}
	END
	exit 1
fi

echo "setup: installing ${missing[*]}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
export DEBIAN_FRONTEND=noninteractive
install=(apt-get install -y -q --no-install-recommends "${missing[@]}")
if ! "${install[@]}" >"$log" 2>&1 &&
	! { apt-get update -q && "${install[@]}"; } >"$log" 2>&1; then
	cat "$log" >&2
	echo "setup: apt-get could not install ${missing[*]}" >&2
	exit 1
fi
