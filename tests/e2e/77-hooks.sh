#!/bin/bash
# SPDX-License-Identifier: MIT
#
# --up, --down and --template of cli: run without a shell, with the interface
# and its address there; a hook that fails, is missing or never ends costs a
# warning and no packet; what is no command is refused at the start.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

set_up 2
cat >"$WORK/hook" <<'END'
#!/bin/sh
{
	echo "--- $SIMPLEVPN_REASON $*"
	env | grep '^SIMPLEVPN_' | sort
	ip -4 -o addr show dev "$SIMPLEVPN_INTERFACE" |
		awk '{ print "has", $4 }'
} >>"$1"
END
chmod +x "$WORK/hook"
hooked() { grep -qxF -e "$1" "$WORK/record" 2>/dev/null; }

# As a user would: a route by template, a script for the rest; from a file.
cat >"$WORK/cli.conf" <<END
up = $WORK/hook $WORK/record 'a b' \$HOME ";"
down = $WORK/hook $WORK/record bye
template = ip route add 10.99.0.0/16 dev %s
END
start_srv
start_cli 1 -c "$WORK/cli.conf" -a 10.0.0.7
wait_joined 1 10.0.0.7
wait_for "the hook" hooked 'has 10.0.0.7/16'
hooked "--- up $WORK/record a b \$HOME ;" || fail "not split as it should be"
for line in SIMPLEVPN_INTERFACE=tun0 SIMPLEVPN_ADDRESS=10.0.0.7 \
	SIMPLEVPN_PREFIX_LENGTH=16 SIMPLEVPN_MTU=1500 \
	SIMPLEVPN_SERVER=$SERVER SIMPLEVPN_SERVER_ADDRESS=$SERVER:2002 \
	SIMPLEVPN_GATEWAY=$HUB SIMPLEVPN_ROUTES= SIMPLEVPN_DNS= \
	SIMPLEVPN_SEARCH=; do
	hooked "$line" || fail "no $line in: $(<"$WORK/record")"
done
[[ $(ip -n "$PREFIX-c1" route show 10.99.0.0/16) == *"dev tun0"* ]] ||
	fail "the template did not add its route"

# The same server, back with another MTU: a change, and no second template.
stop srv
start_srv --mtu 1300
wait_for "the change" hooked 'SIMPLEVPN_MTU=1300'
hooked "--- change $WORK/record a b \$HOME ;" || fail "no reason: change"
log_has cli1 'template' && fail "the template ran twice"
hooked "--- down $WORK/record bye" && fail "down before the end"
stop cli1
((STATUS == 0)) || fail "cli ended with status $STATUS"
hooked "--- down $WORK/record bye" || fail "no down"
(($(grep -c 'has 10.0.0.7/16' "$WORK/record") == 3)) ||
	fail "the interface was not there each time: $(<"$WORK/record")"

# Packets flow while a hook hangs, and what fails is said.
start_cli 1 -a 10.0.0.7 --up 'sleep 1000' --hook-timeout 3 \
	--down /nowhere/hook -t "sh -c 'printf \"a\\033[2Jb\\\\n\"; exit 5'"
wait_joined 1 10.0.0.7
wait_for "the template's failure" \
	log_has cli1 'warning: template: sh failed, exit code 5'
log_has cli1 'template: a\\x1b\[2Jb$' || fail "its output is not escaped"
# The pattern holds for the processes of this namespace only.
hangs() {
	ip netns pids "$PREFIX-c1" | xargs ps -o args= -p 2>/dev/null |
		grep -qx 'sleep 1000'
}
wait_for "the hook to hang" hangs
wait_ping c1 $HUB
stop cli1
((STATUS == 0)) || fail "cli ended with status $STATUS"
log_has cli1 'up: sleep was killed, it had not ended after 3 s' ||
	fail "no word of the hook that hung"
log_has cli1 'down: cannot run /nowhere/hook: No such file' ||
	fail "no word of the hook that is missing"

# What is no command.
for bad in "'a" "a \\" '""' ' '; do
	ns c1 "$CLI" -s $SERVER --up "$bad" >"$WORK/bad" 2>&1
	(($? == 2)) || fail "--up $bad: not refused"
	grep -q 'option --up: ' "$WORK/bad" || fail "$(<"$WORK/bad")"
done
ns c1 "$CLI" -s $SERVER -t 'ip link set %d' >"$WORK/bad" 2>&1
(($? == 2)) || fail "a template with %d: not refused"
echo "down = 'a" >"$WORK/bad.conf"
ns c1 "$CLI" -s $SERVER -c "$WORK/bad.conf" >"$WORK/bad" 2>&1
(($? == 2)) || fail "an open quote in a file: not refused"
grep -q "bad.conf:1: down: " "$WORK/bad" || fail "$(<"$WORK/bad")"
