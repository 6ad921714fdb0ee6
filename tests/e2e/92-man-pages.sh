#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The manual pages name every option that the programs have, with its letter,
# every key of their files, and which keys a reload applies; and none that does
# not exist.  Needs no root.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

WORK=$(mktemp -d)
trap finish EXIT
PAGES=$TOP/docs/man
command -v mandoc >/dev/null || skip "there is no mandoc"

# The options in the table that --help prints, "LETTER NAME" or "- NAME" each.
options_of() {
	"$1" --help | sed -nE \
		-e 's/^  -(.), --([a-z0-9-]+)( .*)?$/\1 \2/p' \
		-e 's/^      --([a-z0-9-]+)( .*)?$/- \1/p' | sort
}

# The same from section OPTIONS of a page.
options_in() {
	sed -n '/^\.Sh OPTIONS/,/^\.Sh [^O]/p' "$1" | sed -nE \
		-e 's/^\.It Fl ([^-]) , Fl -([a-z0-9-]+)( .*)?$/\1 \2/p' \
		-e 's/^\.It Fl -([a-z0-9-]+)( .*)?$/- \1/p' | sort
}

# Keys of a configuration file, as the program prints one.
keys_of() {
	"$1" --print-default-config | sed -nE 's/^#([a-z0-9-]+) =.*/\1/p' |
		sort -u
}

keys_in() { sed -nE 's/^\.It Ic ([a-z0-9-]+) No = .*/\1/p' "$1" | sort; }

# Keys that a reload applies: in the server's table, and marked in the page.
live_keys() {
	awk '/^static const struct option_def table/ { inside = 1 }
		inside && match($0, /^\t\{ [^,]*, "[a-z0-9-]+"/) {
			split($0, part, "\"")
			name = part[2]
		}
		inside && /OPTION_LIVE/ { print name }
		/^};/ { inside = 0 }' "$TOP/server/config.c" | sort
}

live_keys_in() {
	sed -nE 's/^\.It Ic ([a-z0-9-]+) No = .* Pq live$/\1/p' "$1" | sort
}

# same WHAT: $WORK/program and $WORK/page have the same lines, and some.
same() {
	[[ -s $WORK/program ]] || fail "$1: nothing to compare with"
	diff "$WORK/program" "$WORK/page" ||
		fail "$1: < is what the program has, > what the page says"
}

for page in "$PAGES"/*.[1-8]; do
	mandoc -Tlint -W warning "$page" || fail "mandoc complains"
done

for pair in "$SRV srv.8" "$CLI cli.8"; do
	options_of "${pair% *}" >"$WORK/program"
	options_in "$PAGES/${pair#* }" >"$WORK/page"
	same "options of ${pair#* }"
done

keys_of "$SRV" >"$WORK/program"
keys_in "$PAGES/srv.conf.5" >"$WORK/page"
same "keys of srv.conf.5"

live_keys >"$WORK/program"
live_keys_in "$PAGES/srv.conf.5" >"$WORK/page"
same "keys that a reload applies"

# The file of cli has no page of its own: its keys are its options.
keys_of "$CLI" >"$WORK/keys"
options_in "$PAGES/cli.8" | sed 's/^. //' | sort >"$WORK/options"
[[ -s $WORK/keys && -z $(comm -23 "$WORK/keys" "$WORK/options") ]] ||
	fail "keys of cli that are no options in its page"
