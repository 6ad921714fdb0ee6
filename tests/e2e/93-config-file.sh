#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The configuration file: its keys are the options, the command line has the
# last word, and what is wrong in it is named with file and line.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

set_up 1

# refused FILE-TEXT EXPECTED: srv ends with 2 and says so.
refused() {
	printf '%b' "$1" >"$WORK/bad.conf"
	ns s "$SRV" -t -c "$WORK/bad.conf" >"$WORK/out" 2>&1
	STATUS=$?
	((STATUS == 2)) || fail "exit code $STATUS for: $1"
	grep -qF -- "$2" "$WORK/out" ||
		fail "\"$2\" expected, found: $(<"$WORK/out")"
}

refused 'port = 2003\nmtu = 70000\n' \
	'bad.conf:2: mtu: "70000" found, allowed: a number from 576 to 65535'
refused '# x\n\nprot = 2003\n' 'bad.conf:3: unknown key "prot"'
refused 'port 2003\n' 'bad.conf:1: "port 2003" found, allowed: key = value'
refused 'no-tun = perhaps\n' 'bad.conf:1: no-tun: "perhaps" found, allowed: yes or no'
refused 'port = 2\00003\n' 'bad.conf:1: a zero byte found'
refused 'help = yes\n' 'bad.conf:1: unknown key "help"'
refused 'verbose = 1\nquiet = yes\n' 'exclude each other'
ns s "$SRV" -c "$WORK/none.conf" >"$WORK/out" 2>&1
grep -qF "cannot open $WORK/none.conf: No such file" "$WORK/out" ||
	fail "a missing file: $(<"$WORK/out")"

# What is printed as the default is a configuration, and changes nothing.
"$SRV" --print-default-config >"$WORK/default.conf" || fail "no default"
sed 's/^#\([a-z][a-z-]* = .*[^A-Z]\)$/\1/' "$WORK/default.conf" >"$WORK/all.conf"
(($(grep -c '^[a-z]' "$WORK/all.conf") > 15)) || fail "few keys in the default"
ns s "$SRV" -t -c "$WORK/all.conf" >"$WORK/out" 2>&1 ||
	fail "the default configuration is not taken: $(<"$WORK/out")"
grep -q 'the configuration is good' "$WORK/out" || fail "$(<"$WORK/out")"

{
	echo "server = $SERVER"
	"$CLI" --print-default-config |
		sed -n 's/^#\([a-z][a-z-]* = .*[^]A-Z]\)$/\1/p'
} >"$WORK/all.conf"
(($(wc -l <"$WORK/all.conf") > 8)) || fail "few keys in the default of cli"
ns c1 "$CLI" --test-config -c "$WORK/all.conf" >"$WORK/out" 2>&1 ||
	fail "the default configuration of cli is not taken: $(<"$WORK/out")"

# The file counts, and the command line counts more.
cat >"$WORK/srv.conf" <<EOF
# of the test
port = 2003		# not the usual one
network = 10.9.0.0/24
max-clients = 1
EOF
PORT=2003
start_srv -c "$WORK/srv.conf"
start cli1 c1 "$CLI" -s $SERVER -p 2003 </dev/null
wait_joined 1 10.9.0.2
wait_ping c1 10.9.0.1
stop cli1
stop srv
PORT=2004 start_srv -c "$WORK/srv.conf" --port 2004
log_has srv 'port 2004, 10.9.0.1/24' || fail "the command line lost"

# cli has one, too.
printf 'server = %s\nport = 2004\naddress = 10.9.0.77\n' $SERVER \
	>"$WORK/cli.conf"
start cli1 c1 "$CLI" -c "$WORK/cli.conf" </dev/null
wait_joined 1 10.9.0.77
printf 'server = %s\nkeepalive = never\n' $SERVER >"$WORK/cli.conf"
ns c1 "$CLI" -c "$WORK/cli.conf" >"$WORK/out" 2>&1 && fail "taken"
grep -qF 'cli.conf:2: keepalive: "never" found' "$WORK/out" ||
	fail "cli says: $(<"$WORK/out")"
