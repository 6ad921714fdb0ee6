#!/bin/bash
# SPDX-License-Identifier: MIT
#
# --metrics: the format is what Prometheus reads, the figures are what really
# happened, HTTP is clean, and what cannot be served is one clear line.  Each
# metric that the dashboard in docs/grafana.json asks for exists.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

URL=http://127.0.0.1:9100

fetch() { ns s curl -sS -m 10 "$@"; }

# The value of a metric with its labels, in REPLY.
metric() {
	fetch "$URL/metrics" >"$WORK/metrics" || fail "no metrics"
	REPLY=$(awk -v key="$1" '$1 == key { print $2 }' "$WORK/metrics")
}

metric_is() { metric "$1" && [[ $REPLY == "$2" ]]; }

expect() { # METRIC VALUE
	wait_for "$1 to be $2" metric_is "$1" "$2"
}

status_of() { # CURL-ARGUMENT...: the HTTP status, in REPLY
	REPLY=$(fetch -o "$WORK/body" -D "$WORK/headers" -w '%{http_code}' "$@")
}

expect_status() { # STATUS CURL-ARGUMENT...
	status_of "${@:2}"
	[[ $REPLY == "$1" ]] || fail "${*:2}: status $REPLY, not $1"
}

refuses() { # VALUE: status 2 and one line that tells what is allowed
	timeout 10 "$SRV" --metrics "$1" >"$WORK/out" 2>"$WORK/err"
	(($? == 2)) || fail "--metrics $1: not status 2"
	grep -qF "ADDRESS:PORT such as" "$WORK/err" || fail "$(<"$WORK/err")"
	(($(wc -l <"$WORK/err") == 1)) || fail "$(<"$WORK/err")"
}

set_up 2
for value in 0 65536 localhost:9100 192.0.2.1 :9100 ::1 '[::1]' '*:9100'; do
	refuses "$value"
done
start_srv --no-tun --metrics 9100 --max-pending-per-source 1
raw_start one c1
raw_start two c2
raw_do one connect
raw_do two connect
expect simplevpn_pending_connections 2
raw c1 connect >/dev/null 2>&1
expect 'simplevpn_rejected_connections_total{reason="pending_of_source"}' 1
raw_join one 10.0.0.7
raw_join two 10.0.0.8
for _ in 1 2 3 4 5; do
	raw_do one udp me 10.0.0.8 100
	raw_do two expect-udp 10.0.0.7 me 100
done
raw_do one udp 10.0.0.9 10.0.0.8 100
raw_do one udp me 10.0.255.255 100

expect simplevpn_clients 2
expect simplevpn_joins_total 2
expect simplevpn_pending_connections 0
expect 'simplevpn_addresses{state="used"}' 2
expect 'simplevpn_addresses{state="free"}' 65531
expect 'simplevpn_rx_packets_total{side="clients"}' 6
expect 'simplevpn_rx_bytes_total{side="clients"}' 600
expect 'simplevpn_tx_packets_total{side="clients"}' 5
expect 'simplevpn_tx_bytes_total{side="clients"}' 500
expect 'simplevpn_rx_packets_total{side="gateway"}' 0
expect 'simplevpn_drops_total{reason="spoofed_source"}' 1
expect 'simplevpn_drops_total{reason="broadcast"}' 1
expect simplevpn_queue_bytes 0
raw_do one close
expect 'simplevpn_leaves_total{reason="by_client"}' 1
expect simplevpn_clients 1
expect 'simplevpn_rx_bytes_total{side="clients"}' 600

# Every drop that the counters have is in the metrics, and no other.
print_counters
print_counters
while read -r reason n; do
	expect "simplevpn_drops_total{reason=\"$reason\"}" "$n"
done < <(awk '$2 == "total:" && $3 == "drop" { sub("=", " ", $4); print $4 }' \
	"${LOG[srv]}" | sort -u)

# The format.
metric simplevpn_uptime_seconds
[[ $REPLY =~ ^[0-9]+$ ]] || fail "uptime is '$REPLY'"
grep -q '^simplevpn_build_info{version="[0-9.]*"} 1$' "$WORK/metrics" ||
	fail "no build info"
awk '/^# HELP/ { help[$3]++; next }
	/^# TYPE/ { type[$3]++; if ($4 == "counter" && $3 !~ /_total$/) bad = 1
		    next }
	{ sub("{.*", "", $1); if (help[$1] != 1 || type[$1] != 1) bad = 1
	  if ($2 !~ /^[0-9.]+$/ || NF != 2) bad = 1 }
	END { exit bad || NR < 50 }' "$WORK/metrics" || fail "a bad line"
if command -v promtool >/dev/null; then
	promtool check metrics <"$WORK/metrics" >"$WORK/promtool" 2>&1 ||
		fail "promtool: $(<"$WORK/promtool")"
	say "promtool has nothing to say"
fi

# HTTP.
expect_status 200 "$URL/metrics"
grep -qi '^content-type: text/plain; version=0.0.4' "$WORK/headers" ||
	fail "$(<"$WORK/headers")"
expect_status 200 "$URL/"
for header in "content-security-policy: default-src 'none';" \
	'x-content-type-options: nosniff' 'content-type: text/html'; do
	grep -qi "^$header" "$WORK/headers" || fail "no $header"
done
expect_status 200 --head "$URL/metrics"
expect_status 404 "$URL/nothing"
expect_status 404 "$URL/metrics/../etc/passwd" --path-as-is
expect_status 405 -X POST -d x "$URL/"
grep -qi '^allow: GET, HEAD' "$WORK/headers" || fail "405 without Allow"
expect_status 200 "$URL/?q=%00%ff%3Cscript%3E&page=99999999999999999999"
expect_status 431 -H "x: $(printf '%020000d' 0)" "$URL/"

# The dashboard.
dashboard=$TOP/docs/grafana.json
jq -e '.panels | length > 5' "$dashboard" >/dev/null || fail "no dashboard"
jq -e '.templating.list[] | select(.type == "datasource")' "$dashboard" \
	>/dev/null || fail "the dashboard has no variable for its source"
jq -r '.. | .expr? // empty' "$dashboard" |
	grep -oE '(simplevpn|process)_[a-z_]+' | sort -u >"$WORK/used"
(($(wc -l <"$WORK/used") > 10)) || fail "the dashboard shows nothing"
while read -r name; do
	grep -qE "^${name}[ {]" "$WORK/metrics" ||
		fail "the dashboard asks for $name, which there is not"
done <"$WORK/used"
# And the other way round.
while read -r name; do
	grep -qx "$name" "$WORK/used" || fail "the dashboard lacks $name"
done < <(grep -oE '^simplevpn_[a-z_]+' "$WORK/metrics" | sort -u)

# A port in use, and an address that is not this host's.
for value in 127.0.0.1:9100 192.0.2.77:9100; do
	ns s timeout 10 "$SRV" --no-tun -p 2003 --metrics "$value" \
		>"$WORK/out" 2>&1
	status=$?
	((status == 1)) || fail "--metrics $value: status $status, not 1"
	grep -q -- "--metrics: .*9100" "$WORK/out" || fail "$(<"$WORK/out")"
done
stop srv
((STATUS == 0)) || fail "srv ended with status $STATUS"

# IPv6, and every address.
start_srv --no-tun --metrics '[::1]:9100'
URL='http://[::1]:9100'
expect simplevpn_clients 0
stop srv
start_srv --no-tun --metrics 0.0.0.0:9100
ns c1 curl -sSf -m 10 "http://$SERVER:9100/metrics" >/dev/null ||
	fail "not served to others"
stop srv
start_srv --no-tun
! listens "${PID[srv]}" 9100 || fail "served without being asked for"
