# SPDX-License-Identifier: MIT
#
# The file of results (round, subject, metric, value) and medians over rounds.
# Of ratios, the median of the rounds' ratios, not the ratio of the medians.
# What was measured several times in a round counts with its mean.

BEGIN { FS = "\t" }

{
	times = ++n_times[$1, $2, $3]
	value[$1, $2, $3] = times == 1 ? $4 : \
		value[$1, $2, $3] + ($4 - value[$1, $2, $3]) / times
	known[$2] = 1
	if ($1 + 0 > rounds)
		rounds = $1 + 0
	if ($3 == "reason")
		reason[$2] = $4
}

function has(r, s, m) { return (r SUBSEP s SUBSEP m) in value }

function median_of(list, n,    i, j, x) {
	for (i = 2; i <= n; i++) {
		x = list[i]
		for (j = i - 1; j > 0 && list[j] > x; j--)
			list[j + 1] = list[j]
		list[j + 1] = x
	}
	if (n % 2)
		return list[(n + 1) / 2]
	return (list[n / 2] + list[n / 2 + 1]) / 2
}

# "" where there is nothing.
function median(s, m,    r, n, list) {
	for (r = 1; r <= rounds; r++)
		if (has(r, s, m))
			list[++n] = value[r, s, m] + 0
	return n ? median_of(list, n) : ""
}

function ratio(s, m, base, base_m,    r, n, list) {
	for (r = 1; r <= rounds; r++)
		if (has(r, s, m) && has(r, base, base_m) &&
		    value[r, base, base_m] + 0 > 0)
			list[++n] = value[r, s, m] / value[r, base, base_m]
	return n ? median_of(list, n) : ""
}

function total(s, m,    r, sum) {
	for (r = 1; r <= rounds; r++)
		if (has(r, s, m))
			sum += value[r, s, m]
	return sum + 0
}

# A number for people: three digits that matter; "-" where there is none.
function show(x,    a) {
	if (x == "")
		return "-"
	a = x < 0 ? -x : x
	return a >= 99.95 ? sprintf("%.0f", x) : \
	       a >= 9.995 ? sprintf("%.1f", x) : \
	       a >= 0.9995 || a == 0 ? sprintf("%.2f", x) : \
	       a >= 0.0995 ? sprintf("%.3f", x) : sprintf("%.4f", x)
}

function scaled(x, factor) { return x == "" ? "" : x * factor }

# titles: lines of NAME|TITLE.
function read_titles(titles,    lines, n, i, cut) {
	n = split(titles, lines, "\n")
	for (i = 1; i <= n; i++) {
		cut = index(lines[i], "|")
		if (!cut)
			continue
		order[++n_titles] = substr(lines[i], 1, cut - 1)
		title[order[n_titles]] = substr(lines[i], cut + 1)
	}
}
