#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Both units under a real systemd, which is booted in a container: below an
# overlay of this system, with a network of its own, for some seconds.  What is
# looked at is what systemd says of the services and what the kernel says of
# their processes.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

SRV_UNIT=simplevpn-srv CLI_UNIT=simplevpn-cli@home

# --- inside: a service of that systemd runs this, its output is the result ---

show() { systemctl show "$1" -p "$2" --value; }

is() { [[ $(show "$1" "$2") =~ $3 ]]; }

each_thread() { # PID KEY VALUE
	local status value
	for status in /proc/"$1"/task/*/status; do
		value=$(awk -v key="$2:" '$1 == key { print $2 }' "$status")
		[[ $value == "$3" ]] || fail "$status: $2 is $value, not $3"
	done
}

check_confinement() {
	local key pid
	pid=$(show $SRV_UNIT MainPID)
	each_thread "$pid" Uid "$(id -u simplevpn)"
	for key in CapInh CapPrm CapEff CapAmb; do
		each_thread "$pid" $key 0000000000000000
	done
	each_thread "$pid" NoNewPrivs 1
	each_thread "$pid" Seccomp 2
	# --nat turns forwarding on; nothing else of the kernel is for it.
	nsenter -t "$pid" -m sh -c \
		'echo 1 >/proc/sys/net/ipv4/ip_forward' ||
		fail "forwarding cannot be turned on"
	nsenter -t "$pid" -m sh -c \
		'echo 1 >/proc/sys/net/ipv4/tcp_syncookies' 2>/dev/null &&
		fail "other settings of the kernel can be changed"
}

check_watchdog() {
	mkdir -p /run/systemd/system/$SRV_UNIT.service.d
	printf '[Service]\nWatchdogSec=1\nRestartSec=0\n' \
		>/run/systemd/system/$SRV_UNIT.service.d/test.conf
	systemctl daemon-reload
	systemctl restart $SRV_UNIT || fail "no restart"
	# It shows life by itself: longer than the watchdog's bound.
	wait_for "signs of life" is $SRV_UNIT StatusText 'clients: 0'
	sleep 2
	is $SRV_UNIT NRestarts '^0$' || fail "the watchdog bites a live hub"
	kill -STOP "$(show $SRV_UNIT MainPID)"
	wait_for "systemd to replace a hub that hangs" is $SRV_UNIT NRestarts '^1$'
	wait_for "the hub to be back" is $SRV_UNIT ActiveState '^active$'
	rm -r /run/systemd/system/$SRV_UNIT.service.d
	systemctl daemon-reload
}

check_client() {
	echo "server = 127.0.0.1" >/etc/simplevpn/home.conf
	systemctl start $CLI_UNIT || fail "the client does not start"
	is $CLI_UNIT StatusText '^connected to 127.0.0.1:2002 as 10\.9\.' ||
		fail "the client says: $(show $CLI_UNIT StatusText)"
	simplevpn-cli status | grep -q 127.0.0.1 ||
		fail "cli status: $(simplevpn-cli status 2>&1)"
	systemctl stop $CLI_UNIT
	is $CLI_UNIT Result '^success$' || fail "the client ended badly"
}

# The rules of --nat are made, and removed, by a process that is not root.
check_nat() {
	ip link add up0 type veth peer name up1
	echo "nat = up0" >>/etc/simplevpn/srv.conf
	systemctl restart $SRV_UNIT || fail "no start with nat"
	each_thread "$(show $SRV_UNIT MainPID)" CapEff 0000000000001000
	nft list ruleset | grep -q masquerade || fail "no rules of --nat"
	systemctl stop $SRV_UNIT
	is $SRV_UNIT Result '^success$' || fail "the hub ended badly"
	[[ -z $(nft list ruleset) ]] || fail "left: $(nft list ruleset)"
}

# A wrong file is wrong the next time too.
check_wrong_configuration() {
	echo "port = many" >/etc/simplevpn/srv.conf
	systemctl restart $SRV_UNIT 2>/dev/null && fail "it starts with a wrong file"
	is $SRV_UNIT ActiveState '^failed$' || fail "it is tried again"
	is $SRV_UNIT ExecMainStatus '^2$' || fail "it ended with another status"
}

inside() {
	ip link set lo up
	mkdir -p /etc/simplevpn
	echo "network = 10.9.0.0/16" >/etc/simplevpn/srv.conf
	systemctl start $SRV_UNIT || fail "no start: $(journalctl -u $SRV_UNIT)"
	is $SRV_UNIT StatusText '^port 2002, 10\.9\.0\.1/16 on tun0$' ||
		fail "the hub says: $(show $SRV_UNIT StatusText)"
	check_confinement
	simplevpn-srv status | grep -q 10.9.0 ||
		fail "srv status: $(simplevpn-srv status 2>&1)"
	systemctl reload $SRV_UNIT || fail "no reload"
	wait_for "the reload" is $SRV_UNIT StatusText 'reloaded'
	check_watchdog
	check_client
	systemctl stop $SRV_UNIT
	is $SRV_UNIT Result '^success$' || fail "the hub ended badly"
	check_nat
	check_wrong_configuration
	say "all is well"
}

if [[ ${1:-} == inside ]]; then
	inside >/result 2>&1
	exit
fi

# --- outside ---

set_up 0
mkdir "$WORK/overlay"
cat >"$WORK/test.service" <<-END
	[Unit]
	After=basic.target
	[Service]
	Type=oneshot
	ExecStartPre=/bin/sh -c 'echo booted >/booted'
	ExecStart=/bin/bash /simplevpn-test/89-under-systemd.sh inside
	ExecStopPost=/bin/systemctl poweroff -f -f
	TimeoutStartSec=80
END
printf '[Unit]\nRequires=basic.target test.service\n' >"$WORK/test.target"

# nspawn wants tmpfs below /run, a terminal, and another machine's number; it
# puts a /tmp of its own.
cat >"$WORK/enter" <<-END
	set -e
	mount -t tmpfs tmpfs "$WORK/overlay"
	cd "$WORK/overlay"
	mkdir upper work root
	mount -t overlay overlay \
		-o lowerdir=/,upperdir=upper,workdir=work root
	mount -t tmpfs tmpfs /run
	cp -a "$WORK/root/." root/
	rm -rf root/etc/systemd/system/*.wants root/etc/machine-id
	tr -d - </proc/sys/kernel/random/uuid >root/etc/machine-id
	cp "$WORK"/test.* root/etc/systemd/system/
	mkdir root/simplevpn-test
	cp "$TOP"/tests/e2e/{lib,89-under-systemd}.sh root/simplevpn-test/
	timeout -k 5 100 script -qfec "systemd-nspawn -q -D \$PWD/root \
		--register=no --keep-unit --private-network --capability=all \
		--bind=/dev/net/tun -b systemd.unit=test.target" /dev/null \
		</dev/null >"$WORK/console" || true
	[ -e root/booted ] || exit 77
	cat root/result
END
env -u MAKEFLAGS -u MAKELEVEL -u MODE make -s -C "$TOP" \
	BIN="$(dirname "$SRV")" STAGE="$WORK/stage" -o "$SRV" -o "$CLI" \
	DESTDIR="$WORK/root" PREFIX=/usr install >"$WORK/log" 2>&1 || fail "make install: $(<"$WORK/log")"
unshare --mount --fork --kill-child bash "$WORK/enter" >"$WORK/log" 2>&1
status=$?
((status != 77)) || skip "systemd does not boot in a container here"
grep -q '^all is well' "$WORK/log" || fail "$(tr -d '\r' <"$WORK/log" | tail -40)"
