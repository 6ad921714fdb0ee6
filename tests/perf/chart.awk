# SPDX-License-Identifier: MIT
# The plot: a bar a subject for TCP throughput, CPU per GB and round trips
# beside bulk; SVG. Needs stats.awk, -v titles.

function text(x, y, anchor, s) {
	gsub(/&/, "\\&amp;", s)
	gsub(/</, "\\&lt;", s)
	printf "<text x=\"%d\" y=\"%d\" text-anchor=\"%s\">%s</text>\n", x, y,
		anchor, s
}

function bar(y, width, colour) {
	printf "<rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" " \
		"fill=\"%s\"/>\n", left, y, width < 1 ? 1 : width, height,
		colour
}

# Scaled to the largest in the panel, zero at the left.
function panel(y, heading, m, factor,    i, s, x, max, n) {
	for (i = 1; i <= n_titles; i++) {
		x = scaled(median(order[i], m), factor)
		if (x != "" && x > max)
			max = x
	}
	if (!max)
		return y
	printf "<g font-weight=\"bold\">"
	text(10, y + 16, "start", heading)
	print "</g>"
	y += 26
	for (i = 1; i <= n_titles; i++) {
		s = order[i]
		x = scaled(median(s, m), factor)
		if (x == "" || (s == "plain" && m == "tcp1_cpu_s_per_gb"))
			continue
		bar(y, x / max * span, s == "simplevpn" ? "#1f6f43" : "#9aa5b1")
		text(left - 8, y + 13, "end", title[s])
		text(left + x / max * span + 6, y + 13, "start", show(x))
		y += height + 6
	}
	return y + 14
}

END {
	left = 320; span = 400; height = 16; y = 10
	read_titles(titles)
	body_start = "<svg xmlns=\"http://www.w3.org/2000/svg\" " \
		"width=\"800\" height=\"%d\" font-family=\"sans-serif\" " \
		"font-size=\"12\">\n"
	# Three panels of at most all subjects each.
	for (i = 1; i <= n_titles; i++)
		rows += (median(order[i], "tcp1_gbps") != "") + \
			(median(order[i], "tcp1_cpu_s_per_gb") != "" && \
			 order[i] != "plain") + \
			(median(order[i], "loaded_p99_us") != "")
	printf body_start, rows * (height + 6) + 150
	print "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>"
	y = panel(y, "TCP, one stream, Gbit/s (more is better)", "tcp1_gbps", 1)
	y = panel(y, "CPU seconds of the VPN's processes per GB (less is " \
		"better)", "tcp1_cpu_s_per_gb", 1)
	y = panel(y, "Round trip beside a bulk flow, p99, ms (less is better)",
		"loaded_p99_us", 0.001)
	print "</svg>"
}
