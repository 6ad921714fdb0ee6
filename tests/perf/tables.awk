# SPDX-License-Identifier: MIT
# The tables of the report, in Markdown. Needs stats.awk, -v titles.

function row(a, b, c, d, e, f, g, h, i, j, k, l, m) {
	printf "| %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s |" \
		" %s | %s |\n", a, b, c, d, e, f, g, h, i, j, k, l, m
}

function pair(a, b) { return a == "" ? "-" : show(a) " / " show(b) }

function with_percent(x, percent) {
	if (x == "")
		return "-"
	return show(x) " (" show(percent) " %)"
}

function wrong_of(s) {
	return total(s, "verify_corrupt_words") + total(s, "small_corrupt") + \
	       total(s, "rtt_corrupt") + total(s, "loaded_corrupt") + \
	       total(s, "checksum_errors")
}

function failures_of(s) {
	return total(s, "tcp1_failed") + total(s, "tcp4_failed") + \
	       total(s, "udp_failed") + total(s, "loaded_failed") + \
	       total(s, "verify_failed")
}

function lost_of(s,    text) {
	text = has_any(s, "tcp1_retransmits") ? \
		show(median(s, "tcp1_retransmits")) : "-"
	if (has_any(s, "rtt_lost"))
		text = text " / " (total(s, "rtt_lost") + \
			total(s, "loaded_lost"))
	return text
}

function has_any(s, m) { return median(s, m) != "" }

function wrong_cell(s) {
	return wrong_of(s) (failures_of(s) ? \
		" (" failures_of(s) " measurements failed)" : "")
}

function end_to_end(    i, s) {
	print "### End to end, client to client through the server\n"
	row("", "TCP, 1 stream, Gbit/s", "of the relay", "TCP, 4 streams",
	    "UDP 1,400 bytes, Gbit/s (lost)",
	    "64-byte UDP, kpackets/s (of plain)",
	    "round trip idle, us, p50 / p99",
	    "beside bulk, ms, p50 / p99", "VPN CPU s per GB",
	    "machine CPU s per GB", "server MiB",
	    "retransmits / probes lost", "corrupt")
	row("---", "---", "---", "---", "---", "---", "---", "---", "---",
	    "---", "---", "---", "---")
	for (i = 1; i <= n_titles; i++) {
		s = order[i]
		if (!(s in known) || s in reason && !has_any(s, "tcp1_gbps") \
		    && !has_any(s, "rtt_p50_us"))
			continue
		end_to_end_row(s)
	}
	print ""
}

function end_to_end_row(s) {
	row(title[s], show(median(s, "tcp1_gbps")),
	    show(ratio(s, "tcp1_gbps", "relay", "tcp1_gbps")),
	    show(median(s, "tcp4_gbps")),
	    with_percent(median(s, "udp_gbps"), median(s, "udp_lost_percent")),
	    small_cell(s),
	    pair(median(s, "rtt_p50_us"), median(s, "rtt_p99_us")),
	    pair(scaled(median(s, "loaded_p50_us"), 0.001),
		 scaled(median(s, "loaded_p99_us"), 0.001)),
	    s == "plain" ? "-" : show(median(s, "tcp1_cpu_s_per_gb")),
	    show(median(s, "tcp1_busy_s_per_gb")),
	    s == "plain" || s ~ /^floor/ ? "-" : show(median(s, "server_mib")),
	    lost_of(s), wrong_cell(s))
}

function small_cell(s,    r) {
	if (!has_any(s, "small_received_per_s"))
		return "-"
	r = ratio(s, "small_received_per_s", "plain", "small_received_per_s")
	return show(scaled(median(s, "small_received_per_s"), 0.001)) \
		" (" show(r) ")"
}

function left_out(    i, s, any) {
	for (i = 1; i <= n_titles; i++) {
		s = order[i]
		if (!(s in reason))
			continue
		if (!any++)
			print "Left out, in one round at least:\n"
		print "- " title[s] ": " reason[s]
	}
	if (any)
		print ""
}

function hub_row(name, text, base) {
	if (!(name in known))
		return
	if (name in reason) {
		printf "| %s | left out: %s | | | | | |\n", text, reason[name]
		return
	}
	printf "| %s | %s | %s | %s | %s | %s | %s |\n", text,
		show(scaled(median(name, "packets_per_s"), 1e-6)),
		show(scaled(median(name, "bits_per_s"), 1e-9)),
		show(base ? ratio(name, "bits_per_s", base, "bits_per_s") : ""),
		hub_lost(name),
		total(name, "corrupt") + total(name, "duplicate") + \
		total(name, "reordered"),
		total(name, "ended") + total(name, "idle_closed")
}

function many(n, what) { return n " " what (n == 1 ? "" : "s") }

function hub_lost(name,    sent) {
	sent = total(name, "sent")
	return show(sent ? 100 * total(name, "lost") / sent : "") " %"
}

function hub(    i, j, k, sizes, senders, destinations, name) {
	print "### The hub alone, over loopback\n"
	print "| | Mpackets/s | Gbit/s | of the relay at this size | lost |" \
		" corrupt, repeated, reordered | connections lost |"
	print "| --- | --- | --- | --- | --- | --- | --- |"
	split("1400 576 64", sizes, " ")
	split("1 4", senders, " ")
	split("1 64 1024", destinations, " ")
	hub_row("relay-1400", "the relay, 1,400-byte packets", "")
	hub_row("relay-576", "the relay, 576-byte packets", "")
	hub_row("relay-64", "the relay, 64-byte packets", "")
	for (i = 1; i <= 3; i++)
		for (j = 1; j <= 2; j++)
			for (k = 1; k <= 3; k++) {
				name = "hub-" sizes[i] "-" senders[j] "-" \
					destinations[k]
				hub_row(name, sizes[i] " bytes, " \
					many(senders[j], "sender") ", " \
					many(destinations[k], "destination"),
					"relay-" sizes[i])
			}
	hub_row("hub-idle-1400", "1400 bytes, 1 sender, 1 destination, and " \
		idle " idle clients", "relay-1400")
	hub_row("hub-idle-64", "64 bytes, 1 sender, 1 destination, and " idle \
		" idle clients", "relay-64")
	hub_row("hub-reading-1", "two pairs, and a third that is paced", "")
	hub_row("hub-stalled-1", "the same, the third's receiver not reading",
		"")
	hub_row("hub-reading-100", "two pairs, and 100 that are paced", "")
	hub_row("hub-stalled-100", "the same, the 100 receivers not reading",
		"")
	print ""
}

function congestion(    i, s, cc, list, j, any) {
	split("cubic bbr", list, " ")
	for (i = 1; i <= n_titles; i++)
		for (j = 1; j <= 2; j++) {
			s = order[i] "-" list[j]
			if (!(s in known))
				continue
			if (!any++) {
				print "### One congestion control inside and " \
					"outside\n"
				print "| | | TCP, 1 stream, Gbit/s | of the " \
					"relay with it | VPN CPU s per GB |" \
					" retransmits |"
				print "| --- | --- | --- | --- | --- | --- |"
			}
			printf "| %s | %s | %s | %s | %s | %s |\n",
				title[order[i]], list[j],
				show(median(s, "tcp1_gbps")),
				show(ratio(s, "tcp1_gbps", "relay-" list[j],
					   "tcp1_gbps")),
				order[i] == "plain" ? "-" : \
				show(median(s, "tcp1_cpu_s_per_gb")),
				show(median(s, "tcp1_retransmits"))
		}
	if (any)
		print ""
}

# One figure to reach. at_least: 1, or 0 for at most.
function aim(text, x, want, at_least,    met) {
	met = x == "" ? "not measured" : \
	      (at_least ? x >= want : x <= want) ? "yes" : "no"
	printf "| %s | %s %s | %s | %s |\n", text,
		at_least ? "at least" : "at most", want, show(x), met
}

# The largest ratio of ours to a peer, over all TCP peers.
function worst_ratio(m, names,    list, n, i, x, worst) {
	n = split(names, list, " ")
	worst = ""
	for (i = 1; i <= n; i++) {
		x = ratio("simplevpn", m, list[i], m)
		if (x != "" && (worst == "" || x > worst))
			worst = x
	}
	return worst
}

function against_sum(s, a, b, m,    r, n, list) {
	for (r = 1; r <= rounds; r++)
		if (has(r, s, m) && has(r, a, m) && has(r, b, m))
			list[++n] = value[r, s, m] / \
				(value[r, a, m] + value[r, b, m])
	return n ? median_of(list, n) : ""
}

# Against whichever of them is the fastest.
function fastest(names,    list, n, i, best) {
	n = split(names, list, " ")
	for (i = 1; i <= n; i++)
		if (has_any(list[i], "tcp1_gbps") && (best == "" ||
		    median(list[i], "tcp1_gbps") > median(best, "tcp1_gbps")))
			best = list[i]
	return best
}

function aims(    peers, best) {
	peers = "openvpn-gcm openvpn-none softether-tls softether-plain " \
		"ocserv tinc vtun"
	best = fastest(peers)
	print "### Figures to reach\n"
	print "| what | figure | measured | reached |"
	print "| --- | --- | --- | --- |"
	aim("hub alone, 1,400-byte packets, against the relay",
	    ratio("hub-1400-1-1", "bits_per_s", "relay-1400", "bits_per_s"),
	    1, 1)
	aim("hub alone, 64-byte packets, one destination, Mpackets/s",
	    scaled(median("hub-64-1-1", "packets_per_s"), 1e-6), 25, 1)
	aim("hub alone, 64-byte packets, 64 destinations, Mpackets/s",
	    scaled(median("hub-64-1-64", "packets_per_s"), 1e-6), 4, 1)
	aim("hub alone with " idle " idle clients, against none",
	    ratio("hub-idle-1400", "bits_per_s", "hub-1400-1-1", "bits_per_s"),
	    0.95, 1)
	aim("one stalled receiver: what two pairs keep",
	    ratio("hub-stalled-1", "bits_per_s", "hub-reading-1",
		  "bits_per_s"), 0.95, 1)
	aim("a hundred stalled receivers: what two pairs keep",
	    ratio("hub-stalled-100", "bits_per_s", "hub-reading-100",
		  "bits_per_s"), 0.9, 1)
	aim("end to end TCP, one stream, against the relay",
	    ratio("simplevpn", "tcp1_gbps", "relay", "tcp1_gbps"), 0.55, 1)
	aim("end to end against OpenVPN TCP, AES-256-GCM",
	    ratio("simplevpn", "tcp1_gbps", "openvpn-gcm", "tcp1_gbps"), 15, 1)
	aim("end to end against OpenVPN TCP, no cipher",
	    ratio("simplevpn", "tcp1_gbps", "openvpn-none", "tcp1_gbps"), 15, 1)
	aim("CPU per GB, against OpenVPN TCP, no cipher",
	    ratio("simplevpn", "tcp1_cpu_s_per_gb", "openvpn-none",
		  "tcp1_cpu_s_per_gb"), 0.05, 0)
	aim("end to end against the fastest peer" \
	    (best == "" ? "" : " (" title[best] ")"),
	    ratio("simplevpn", "tcp1_gbps", best, "tcp1_gbps"), 3, 1)
	aim("CPU per GB, against the same",
	    ratio("simplevpn", "tcp1_cpu_s_per_gb", best, "tcp1_cpu_s_per_gb"),
	    0.333, 0)
	aim("64-byte UDP packets per second, against plain forwarding",
	    ratio("simplevpn", "small_received_per_s", "plain",
		  "small_received_per_s"), 0.85, 1)
	aim("round trip idle, p50, against two processes that copy between" \
	    " TUN and plain forwarding",
	    ratio("simplevpn", "rtt_p50_us", "floor-link", "rtt_p50_us"),
	    1.5, 0)
	aim("round trip idle, p50, against the sum of two bare TUN" \
	    " crossings and plain forwarding",
	    against_sum("simplevpn", "floor-direct", "plain", "rtt_p50_us"),
	    1.5, 0)
	aim("p99 round trip beside a bulk flow, ms",
	    scaled(median("simplevpn", "loaded_p99_us"), 0.001), 3, 0)
	aim("p99 round trip beside a bulk flow, against the best peer",
	    worst_ratio("loaded_p99_us", peers), 0.333, 0)
	print ""
}

function any_of(pattern,    s) {
	for (s in known)
		if (s ~ pattern)
			return 1
	return 0
}

END {
	read_titles(titles)
	if (any_of("^simplevpn$"))
		aims()
	if (any_of("^plain$"))
		end_to_end()
	left_out()
	if (any_of("^hub-"))
		hub()
	congestion()
}
