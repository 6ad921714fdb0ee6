#!/bin/bash
# SPDX-License-Identifier: MIT
#
# make install: the programs under their names, units that systemd's own tools
# accept and find well confined, examples that the programs read, completions
# that offer each option and command of --help and nothing else; and
# make uninstall, which leaves nothing of it.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

set_up 0
ROOT=$WORK/root

# The programs under test, whatever they were built with.
make_it() { # TARGET [VARIABLE=VALUE...]
	env -u MAKEFLAGS -u MAKELEVEL -u MODE make -s -C "$TOP" \
		BIN="$(dirname "$SRV")" STAGE="$WORK/stage" DESTDIR="$ROOT" \
		-o "$SRV" -o "$CLI" "$@" >"$WORK/make" 2>&1 ||
		fail "make $*: $(<"$WORK/make")"
}

has() { # MODE PATH...
	local file mode=$1
	shift
	for file; do
		[[ $(stat -c %a "$ROOT$file" 2>&1) == "$mode" ]] ||
			fail "$file is not there with mode $mode"
	done
}

long_options() { # PROGRAM
	"$1" --help | sed -nE 's/^  (-., |    )(--[a-z0-9-]+).*/\2/p' | sort
}

# The words of --help that follow the program's name.
commands() { # PROGRAM
	"$1" --help | sed -nE \
		"s/^(usage:)? +${1##*/} ([a-z]+)( .*)?\$/\2/p" | sort -u
}

# What bash offers for WORDS..., the last of which is being completed.
bash_offers() { # PROGRAM WORD...
	bash -c '. "$1" && COMP_WORDS=("${@:2}") && COMP_CWORD=$(($# - 2))
		$(complete -p "$2" | sed -E "s/.* -F ([^ ]+) .*/\1/")
		printf "%s\n" "${COMPREPLY[@]}"' bash \
		"$ROOT/usr/share/bash-completion/completions/$1" "$@" | sort
}

same() { # WHAT ONE OTHER
	[[ $2 == "$3" ]] || fail "$1: $(diff <(echo "$2") <(echo "$3"))"
}

check_completion() { # PROGRAM-PATH NAME
	local zsh=$ROOT/usr/share/zsh/site-functions/_$2
	same "bash: options of $2" "$(long_options "$1")" \
		"$(bash_offers "$2" -- | grep ^--)"
	same "bash: commands of $2" "$(commands "$1")" "$(bash_offers "$2" "")"
	same "bash: options of status" --json "$(bash_offers "$2" status --js)"
	same "bash: an option's start" --verbose "$(bash_offers "$2" --verb)"
	same "bash: a file" "$WORK/root" \
		"$(bash_offers "$2" --config "$WORK/roo")"
	same "bash: an interface" lo "$(bash_offers "$2" --tun = lo)"
	same "bash: a port" "" "$(bash_offers "$2" --port "")"
	same "zsh: options of $2" "$(long_options "$1")" "$(sed -nE \
		's/^\t"\*("\{-.,)?(--[a-z0-9-]+).*/\2/p' "$zsh" | sort)"
	same "zsh: commands of $2" "$(commands "$1")" "$(sed -nE \
		's/.*1:command:\((.*)\).*/\1/p' "$zsh" | tr ' ' '\n' | sort)"
	zsh -n "$zsh" || fail "zsh does not read $zsh"
	[[ $(head -1 "$zsh") == "#compdef $2" ]] || fail "$zsh: first line"
}

# --- as a distribution has it ---
make_it install PREFIX=/usr
has 755 /usr/sbin/simplevpn-srv /usr/bin/simplevpn-cli
has 644 /usr/lib/systemd/system/simplevpn-{srv,cli@}.service \
	/usr/lib/{sysusers,tmpfiles}.d/simplevpn.conf \
	/usr/share/doc/simplevpn/README.md
for page in "$TOP"/docs/man/*.[1-8]; do
	name=${page##*/}
	name=simplevpn-${name#simplevpn-}
	has 644 "/usr/share/man/man${page##*.}/$name"
	grep -qx "\.Nm ${name%.*}" "$ROOT/usr/share/man/man${page##*.}/$name" ||
		fail "the page $name has another name"
done
! compgen -G "$TOP/docs/wireshark/*.lua" >/dev/null ||
	has 644 /usr/share/simplevpn/wireshark/simplevpn.lua
examples=$ROOT/usr/share/doc/simplevpn/examples
"$SRV" --test-config -c "$examples/srv.conf" >"$WORK/out" 2>&1 ||
	fail "srv.conf: $(<"$WORK/out")"
"$CLI" --test-config -c "$examples/cli.conf" -s $SERVER >"$WORK/out" 2>&1 ||
	fail "cli.conf: $(<"$WORK/out")"
check_completion "$SRV" simplevpn-srv
check_completion "$CLI" simplevpn-cli
same "commands" "drain explain kick reload status" "$(bash_offers \
	simplevpn-srv "" | paste -sd ' ')"

# --- systemd's tools, on a root where it is all in place ---
systemd-sysusers --root="$ROOT" --dry-run simplevpn.conf >"$WORK/out" 2>&1 ||
	fail "sysusers.d: $(<"$WORK/out")"
grep -q simplevpn "$WORK/out" || fail "sysusers.d makes no user"
units=$ROOT/usr/lib/systemd/system
for unit in "$units"/*.service; do
	# The programs are below DESTDIR, the pages are not in the man path.
	sed -i "s,^\(ExecStart=\),\1$ROOT,; /^Documentation=/d" "$unit"
	systemd-analyze verify --man=no "$unit" >"$WORK/out" 2>&1 ||
		fail "$unit: $(<"$WORK/out")"
	[[ ! -s $WORK/out ]] || fail "$unit: $(<"$WORK/out")"
	systemd-analyze security --offline=yes --no-pager --threshold=20 \
		"$unit" >"$WORK/out" 2>&1 || fail "$unit: $(tail -1 "$WORK/out")"
	tail -1 "$WORK/out"
done

# --- and away with it ---
echo mine >"$ROOT/usr/share/doc/other"
make_it uninstall PREFIX=/usr
left=$(find "$ROOT" -type f)
[[ $left == "$ROOT/usr/share/doc/other" ]] || fail "uninstall left: $left"
left=$(find "$ROOT" -name '*simplevpn*')
[[ -z $left ]] || fail "uninstall left: $left"

# --- other names, other places ---
make_it install PREFIX=/opt/x PROGRAM_PREFIX=
has 755 /opt/x/sbin/srv /opt/x/bin/cli
has 644 /opt/x/share/bash-completion/completions/srv
grep -qx 'ExecStart=/opt/x/sbin/srv' \
	"$ROOT/opt/x/lib/systemd/system/simplevpn-srv.service" ||
	fail "the unit does not start /opt/x/sbin/srv"
make_it uninstall PREFIX=/opt/x PROGRAM_PREFIX=
[[ -z $(find "$ROOT/opt" -type f) ]] || fail "uninstall left files"
