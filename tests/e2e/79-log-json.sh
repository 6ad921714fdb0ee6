#!/bin/bash
# SPDX-License-Identifier: MIT
#
# --log-format json: every line of both programs is one JSON object; joins and
# leaves have their facts as members, and the text format has the same facts in
# one line.  A reload changes the server's format.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# check_json NAME [EVENT KEY=VALUE...]: all lines are objects, and the last one
# of that event has these members (numbers are at least that).
check_json() {
	local name=$1
	shift
	python3 - "${LOG[$name]}" "$@" <<'END' || fail "the log of $name"
import datetime, json, sys
path, event, wanted = sys.argv[1], sys.argv[2:3], sys.argv[3:]
found = None
for line in open(path):
    if not line.startswith("{"):
        sys.exit("no JSON: " + line)
    record = json.loads(line)
    datetime.datetime.strptime(record["time"], "%Y-%m-%dT%H:%M:%S.%fZ")
    assert record["level"] in ("error", "warning", "notice", "info", "debug")
    assert record["program"] and record["message"]
    if event and record.get("event") == event[0]:
        found = record
if event and not found:
    sys.exit("no event " + event[0])
for word in wanted:
    key, value = word.split("=", 1)
    is_number = isinstance(found[key], int)
    if found[key] < int(value) if is_number else found[key] != value:
        sys.exit(f"{key} is {found[key]!r}, not {value}: {found}")
END
}

set_up 1
cat >"$WORK/srv.conf" <<END
log-format = json
END
start_srv -c "$WORK/srv.conf" -v
start_cli 1 -a 10.0.0.7 --log-format json -v
wait_joined 1 10.0.0.7
wait_ping c1 $HUB
ns c1 ping -q -c 5 -i 0.2 -s 1000 $HUB >/dev/null
check_json srv join address=10.0.0.7 protocol=extended
stop cli1
wait_for "the leave" log_has srv '"event":"leave"'
check_json srv leave address=10.0.0.7 "reason=closed by the client" \
	duration_s=0 received_bytes=5000 sent_bytes=5000
grep -q '"peer":"192.0.2.11:' "${LOG[srv]}" || fail "no peer"
check_json cli1

# What is not a message, from a peer: still JSON.
ns c1 bash -c 'printf "%064d" 0 >/dev/tcp/'$SERVER/2002
wait_for "the complaint" log_has srv 'is not a message'
check_json srv

# The same in text, after a reload.
: >"${LOG[srv]}"
echo "log-format = text" >"$WORK/srv.conf"
kill -HUP "${PID[srv]}"
start_cli 1 -a 10.0.0.8
wait_joined 1 10.0.0.8
wait_for "the join" log_has srv '^srv: 10\.0\.0\.8 joined from 192\.0\.2\.11:'
stop cli1
figures='after [0-9]+ s, received [0-9]+ bytes, sent [0-9]+'
wait_for "the leave in text" log_has srv \
	"^srv: 10\\.0\\.0\\.8 left, 192\\.0\\.2\\.11:[0-9]+: .*, $figures\$"

ns c1 "$CLI" -s $SERVER --log-format xml >"$WORK/bad" 2>&1
(($? == 2)) || fail "--log-format xml: not refused"
grep -q 'allowed: text|json' "$WORK/bad" || fail "$(<"$WORK/bad")"
