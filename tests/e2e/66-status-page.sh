#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The status page in a real browser, while two clients ping and transfer: what
# it shows is what the server counted, plots have their points, it keeps itself
# fresh, and asks nobody but the server for anything.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

URL=http://127.0.0.1:9100/
BROWSER=${BROWSER:-chromium}

command -v "$BROWSER" >/dev/null || skip "there is no $BROWSER"

# browse NAME URL [OPTION...]: the page as the browser has it after a few
# seconds of its own time, in $WORK/NAME.html; what it asked for in .net.
browse() {
	ns s timeout -k 5 $((60 * WAIT_SCALE)) "$BROWSER" --headless \
		--no-sandbox --disable-gpu --disable-dev-shm-usage \
		--disable-background-networking --disable-sync --no-first-run \
		--host-resolver-rules='MAP * ~NOTFOUND, EXCLUDE 127.0.0.1' \
		--user-data-dir="$WORK/$1.profile" \
		--log-net-log="$WORK/$1.net" --enable-logging=stderr \
		--virtual-time-budget=8000 "${@:3}" --dump-dom "$2" \
		>"$WORK/$1.html" 2>"$WORK/$1.err" </dev/null ||
		fail "$BROWSER: $(tail -5 "$WORK/$1.err")"
	[[ -s $WORK/$1.html ]] || fail "$BROWSER has no page"
}

# The value of a figure on the page, in REPLY.
figure() { # PAGE ID
	REPLY=$(grep -oE "<data id=\"$2\" value=\"[0-9]+\"" "$WORK/$1.html" |
		grep -oE '[0-9]+"$' | tr -d '"')
	[[ -n $REPLY ]] || fail "there is no figure $2"
}

page_has() { # PAGE PATTERN
	grep -qE -e "$2" "$WORK/$1.html" || fail "the page has no $2"
}

metric() {
	REPLY=$(ns s curl -sS -m 10 "${URL}metrics" |
		awk -v key="$1" '$1 == key { print $2 }')
}

metric_at_least() { metric "$1" && ((REPLY >= $2)); }

# At least so many points are in a line of the page as it is served.
served_points() {
	(($(ns s curl -sS -m 10 "$URL" | grep -oE 'points="[^"]+' | head -1 |
		grep -o , | wc -l) >= $1))
}

# A line of the plot that leaves the axis: a point above 150, where that is.
plot_has_points() { # PAGE PLOT
	sed -n "/<figure id=\"$2\"/,/<\/figure>/p" "$WORK/$1.html" \
		>"$WORK/plot"
	grep -oE 'points="[^"]+"' "$WORK/plot" | head -1 | tr -s ' "' '\n' |
		awk -F , 'NF == 2 { n++; if ($2 < 149) high++ }
			END { exit !(n >= 2 && high >= 1) }' ||
		fail "no points in $2: $(<"$WORK/plot")"
}

# What a page itself, and not the browser for its own ends, asked for.
asked_by_page() { # PAGE
	jq -r --arg page "${URL%/}" '.events[] | .params? |
		select(.initiator? == $page) | .url? // empty' \
		"$WORK/$1.net" | sort -u
}

set_up 2
start_srv --metrics 9100
start_cli 1 -a 10.0.0.7
start_cli 2 -a 10.0.0.8
wait_joined 1 10.0.0.7
wait_joined 2 10.0.0.8
wait_ping c1 10.0.0.8
start ping c1 ping -q -i 0.05 -s 400 10.0.0.8 </dev/null
transfer c1 c2 10.0.0.8 2000000
ns c1 ping -q -c 1 -W 1 10.0.99.99 >/dev/null
wait_for "points to plot" served_points 2
browse busy "$URL"
kill -INT "${PID[ping]}"
wait_end ping

# While busy: who is there, and that something moves.
page_has busy '<title>simplevpn: 2 clients</title>'
page_has busy '<th scope="row">10\.0\.0\.7</th><td>192\.0\.2\.11:[0-9]+</td>'
page_has busy '<th scope="row">10\.0\.0\.8</th><td>192\.0\.2\.12:[0-9]+</td>'
page_has busy 'no_such_client'
page_has busy '<p id="trouble" role="alert" hidden="">'
plot_has_points busy plot-bits
plot_has_points busy plot-packets
figure busy rx-bytes
((REPLY > 2000000)) || fail "$REPLY bytes from clients, 2,000,000 were sent"

# The console has no complaint, such as of the page's own security policy.
if grep -E 'CONSOLE|Refused to' "$WORK/busy.err" >"$WORK/console"; then
	fail "the console: $(<"$WORK/console")"
fi
# Without script, the page loads itself anew.
ns s curl -sS -m 10 "$URL" >"$WORK/served.html"
page_has served '<noscript><meta http-equiv="refresh" content="[0-9]+">'
# Script replaces the figures: the page was asked for more than once.
asked=$(grep -oE '"url":"'"$URL"'"' "$WORK/busy.net" | wc -l)
((asked >= 2)) || fail "the page does not refresh itself ($asked requests)"
asked_by_page busy >"$WORK/asked"
grep -qx "${URL}status.css" "$WORK/asked" || fail "asked for: $(<"$WORK/asked")"
! grep -v "^$URL" "$WORK/asked" || fail "the page asked others"

# At rest: every figure equals the metric and the counters.
quiet=no
for _ in {1..20}; do
	metric 'simplevpn_rx_packets_total{side="clients"}'
	packets=$REPLY
	metric 'simplevpn_rx_bytes_total{side="clients"}'
	before=$REPLY
	browse rest "$URL"
	metric 'simplevpn_rx_bytes_total{side="clients"}'
	[[ $REPLY == "$before" ]] && quiet=yes && break
done
[[ $quiet == yes ]] || fail "the tunnel does not come to rest"
figure rest rx-bytes
[[ $REPLY == "$before" ]] || fail "rx-bytes: $REPLY shown, $before counted"
shown=$(sed -E ':a; s/^([0-9]+)([0-9]{3})/\1,\2/; ta' <<<"$packets")
page_has rest ">$shown packets<"
for pair in 'clients simplevpn_clients' \
	'addresses-used simplevpn_addresses{state="used"}' \
	'tx-bytes simplevpn_tx_bytes_total{side="clients"}'; do
	figure rest "${pair%% *}"
	shown=$REPLY
	metric "${pair#* }"
	[[ $shown == "$REPLY" ]] || fail "$pair: $shown shown, $REPLY counted"
done
figure rest drops
shown=$REPLY
print_counters
print_counters
counted=$(awk '$2 == "total:" && $3 == "drop" { split($4, w, "="); n[w[1]] = w[2] }
	END { for (r in n) sum += n[r]; print sum + 0 }' "${LOG[srv]}")
((shown == counted)) || fail "drops: $shown shown, $counted counted"

# A search, and that what is searched for is text and not markup.
browse search "$URL?q=10.0.0.8"
page_has search '1 of 2 clients'
! grep -q '<th scope="row">10\.0\.0\.7</th>' "$WORK/search.html" ||
	fail "the search finds everybody"
browse markup "$URL?q=%22%3E%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E"
! grep -q '<img' "$WORK/markup.html" || fail "markup in the search came through"
page_has markup 'None of 2 clients'

# When nobody is left, the page says so.
stop cli1
stop cli2
wait_for "both to be gone" metric_at_least \
	'simplevpn_leaves_total{reason="by_client"}' 2
browse empty "$URL"
page_has empty 'Nobody is connected'
page_has empty 'closed by the client'
