#!/bin/bash
# SPDX-License-Identifier: MIT
#
# What both programs tell a service manager, on a socket that stands for it.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# start_manager NAMESPACE NAME: what comes on that socket goes to its log, a
# datagram a line.  An abstract name is known in one network namespace alone.
start_manager() {
	LOG[manager]=$WORK/manager.log
	: >"${LOG[manager]}"
	start manager "$1" python3 -u -c '
import socket, sys
manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
name = sys.argv[1]
manager.bind("\0" + name[1:] if name[0] == "@" else name)
print("listening")
while True:
    print(manager.recv(65536).decode().replace("\n", " "))' "$2" </dev/null
	wait_for "the manager's socket" log_has manager listening
}

told() { log_has manager "$1"; }

n_told() { (($(grep -c "$1" "${LOG[manager]}") >= $2)); }

set_up 2

# --- srv: a path, with a watchdog ---
start_manager s "$WORK/notify"
SRV_WRAP=(env NOTIFY_SOCKET="$WORK/notify" WATCHDOG_USEC=400000)
start_srv --user nobody
wait_for READY told '^READY=1 STATUS=port 2002, 10.0.0.1/16 on tun0$'
wait_for "signs of life" n_told '^WATCHDOG=1$' 3
start_cli 1
wait_joined 1
wait_for "a status with the client" told '^STATUS=.*clients: 1$'
kill -HUP "${PID[srv]}"
wait_for RELOADING told '^RELOADING=1 MONOTONIC_USEC=[0-9]+$'
wait_for "READY after it" n_told '^READY=1' 2
stop srv
wait_for STOPPING told '^STOPPING=1$'
stop manager KILL

# --- cli: an abstract name ---
stop cli1
name=@$PREFIX-manager
start_manager c2 "$name"
start cli2 c2 env NOTIFY_SOCKET="$name" WATCHDOG_USEC=400000 "$CLI" -s $SERVER \
	</dev/null
wait_for "why it is not connected" told '^STATUS=not connected: '
wait_for "signs of life" n_told '^WATCHDOG=1$' 2
told '^READY' && fail "READY without an address"
SRV_WRAP=()
start_srv
wait_joined 2
wait_for READY told "^READY=1 STATUS=connected to .* as $REPLY\$"
stop cli2
wait_for STOPPING told '^STOPPING=1$'
stop manager KILL
