#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The manual pages name every option that the programs have, with its letter,
# every key of their files, and which keys a reload applies, and none that does
# not exist; and every field of what is printed for programs.  Links between the
# documents lead somewhere, and each configuration in them is good.  Needs no
# root.

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

# Words that a page marks as names of fields or of variables.
names_in() {
	grep -E '^\.(It )?(Va|Ev) |Pq Va ' "$1" | tr ' ' '\n' |
		grep -E '^[A-Za-z0-9_]+$' | sort -u
}

all_named() { # WHAT PAGE
	[[ -s $WORK/program ]] || fail "$1: nothing to look for"
	names_in "$2" >"$WORK/page"
	sort -u "$WORK/program" | comm -23 - "$WORK/page" >"$WORK/missing"
	[[ ! -s $WORK/missing ]] ||
		fail "$1: not in $(basename "$2"): $(tr '\n' ' ' <"$WORK/missing")"
}

json_keys() { grep -oE '"[a-z_]+":' | tr -d '":'; }

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

# What is printed for programs: by a server that runs, and for the client, whose
# status needs a TUN, as its source has it.
"$SRV" --no-tun --port $((20000 + $$ % 10000)) --listen 127.0.0.1 \
	--control "$WORK/socket" --metrics $((30000 + $$ % 10000)) \
	2>"$WORK/srv.log" &
PID[srv]=$!
LOG[srv]=$WORK/srv.log
asked() { "$SRV" status --json -S "$WORK/socket" >"$WORK/json" 2>/dev/null; }
wait_for "the server's answer" asked
json_keys <"$WORK/json" >"$WORK/program"
sed -nE 's/.*put_(member|address)\(out, "([a-z_]+)".*/\2/p' \
	"$TOP/server/status_json.c" >>"$WORK/program"
all_named "fields of srv status --json" "$PAGES/srv.8"

exec {http}<>"/dev/tcp/127.0.0.1/$((30000 + $$ % 10000))"
printf 'GET /metrics HTTP/1.0\r\n\r\n' >&"$http"
sed -nE 's/^# TYPE ([a-z_]+) .*/\1/p' <&"$http" >"$WORK/program"
all_named "metrics" "$PAGES/srv.8"

sed -nE 's/.*put_[a-z_]*\(out, "([a-z_]+)".*/\1/p' \
	"$TOP/client/status_print.c" >"$WORK/program"
all_named "fields of cli status --json" "$PAGES/cli.8"

sed -nE 's/.*set\(e, "([A-Z_]+)".*/SIMPLEVPN_\1/p' "$TOP/client/hooks.c" \
	>"$WORK/program"
all_named "environment of hooks" "$PAGES/cli.8"

awk -F '"' '/_names\[\] = \{|reasons\[\] = \{/ { inside = 1 }
	/^};/ { inside = 0 }
	inside && /^\t\[(DROP|CLOSE)_/ && $2 !~ /^none$/ { print $2 }' \
	"$TOP/server/stats.c" "$TOP/server/close_reason.c" >"$WORK/program"
all_named "reasons of drops and leaves" "$PAGES/srv.8"
awk -F '"' '/^\t\[DROP_/ { print $2 }' "$TOP/client/counters.c" \
	>"$WORK/program"
all_named "reasons of cli's drops" "$PAGES/cli.8"

# Links from one document to another lead somewhere.
for document in "$TOP"/README.md "$TOP"/docs/*.md; do
	while read -r link; do
		[[ $link == http* || -e $(dirname "$document")/${link%%#*} ]] ||
			fail "$(basename "$document"): a link to $link"
	done < <(grep -oE '\]\([^)#][^) ]*\)' "$document" | sed 's/^](//; s/)$//')
done

# Indented lines "key = value" are a configuration: the server's, or a client's
# if it names servers.
n_blocks=0
check_block() {
	local program=$SRV
	[[ -s $WORK/block ]] || return 0
	! grep -q '^server =' "$WORK/block" || program=$CLI
	"$program" -c "$WORK/block" --test-config >"$WORK/out" 2>&1 ||
		fail "in $1: $(<"$WORK/out")"
	n_blocks=$((n_blocks + 1))
	: >"$WORK/block"
}

for document in "$TOP"/docs/*.md "$PAGES"/*; do
	: >"$WORK/block"
	# shellcheck disable=SC2094 # its name alone is handed on
	while IFS= read -r line; do
		line=${line#    }
		if [[ $line =~ ^[a-z][a-z-]*\ =\  ]]; then
			echo "$line" >>"$WORK/block"
		elif [[ $line != '#'* ]]; then
			check_block "$document"
		fi
	done <"$document"
	check_block "$document"
done
((n_blocks >= 5)) || fail "only $n_blocks configurations in the documents"
say "$n_blocks configurations in the documents are good"
