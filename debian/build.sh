#!/bin/sh
# SPDX-License-Identifier: MIT
#
# debian/build.sh DIRECTORY: builds the package in a copy of the tree below
# DIRECTORY, where it is put, and lets lintian look at it.

set -eu
cd "$(dirname "$0")/.."
out=${1:?usage: debian/build.sh DIRECTORY}
version=$(sed -n '1s/.*(\(.*\)).*/\1/p' debian/changelog)
program=$(sed -n 's/.*SIMPLEVPN_VERSION "\(.*\)"/\1/p' common/version.h)
if [ "$version" != "$program" ]; then
	echo "debian/changelog says $version, common/version.h $program" >&2
	exit 1
fi

copy=$out/simplevpn-$version
rm -rf "$out"
mkdir -p "$copy"
tar -c --exclude=./build --exclude=./.git --exclude=./srv --exclude=./cli \
	--exclude=./device . | tar -x -C "$copy"

# What make was told for the tree is not for the package.
cd "$copy"
env -u MAKEFLAGS -u MAKELEVEL -u MODE -u CFLAGS -u CC -u PREFIX -u DESTDIR \
	dpkg-buildpackage -b -us -uc
cd ..
lintian --fail-on error,warning --tag-display-limit 0 ./*.changes
ls -l simplevpn_*.deb
