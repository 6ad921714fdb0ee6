# SPDX-License-Identifier: MIT
#
# Compares what tshark said of the vectors' capture (second file, tab-separated
# with the fields' names on top) with what they say (first file).

function wrong(port, text) {
	printf "%s: %s\n", told[port, "name"], text
	n_wrong++
}

# The value of a field in the vector's first message.
function field(port, name) { return said[port, name] }

# Some fields stand several times in one message: all of them, as a list.
function list(text) {
	gsub(/\|/, " ", text)
	return text
}

# What is withdrawn and does not come anew with the same message.
function withdrawn(port, text) {
	sub(/6/, (port, "routes") in told ? "" : "routes", text)
	sub(/7/, (port, "dns") in told ? "" : "dns", text)
	sub(/8/, (port, "search") in told ? "" : "search", text)
	gsub(/^ +| +$|[ 0-9]+$/, "", text)
	return text
}

function compare(port, key, name,   is) {
	if (!((port, key) in told))
		return
	is = field(port, name)
	if (key == "routes" || key == "dns")
		is = list(is)
	else if (key == "withdrawn")
		is = withdrawn(port, list(is))
	else
		sub(/\|.*/, "", is)
	if (key == "capable" || key == "checksum_partial")
		is = is == "1" ? "yes" : "no"
	n_compared++
	if (is != told[port, key])
		wrong(port, key " is '" is "' and not '" told[port, key] "'")
}

# What the vectors call a kind has more names here.
function kind_of(port,   message) {
	message = field(port, "simplevpn.message")
	sub(/\|.*/, "", message)
	if (message == "")
		return field(port, "simplevpn.error") == "" ? "more" : "bad"
	if (message ~ /^keepalive/)
		return "keepalive"
	if (message == "refused" || message == "closing" ||
	    message == "options")
		return "reply"
	return message
}

FNR == 1 { file++ }
BEGIN { FS = "\t" }
file == 1 { told[$1, $2] = $3; if ($2 == "name") ports[$1]; next }
FNR == 1 {
	for (i = 1; i <= NF; i++)
		name[i] = $i
	next
}
{
	port = int($2) < 10000 ? $3 : $2
	sub(/\|.*/, "", port)
	if ($1 < told[port, "frame"] || port in done || ($4 == "" && $5 == ""))
		next
	done[port]
	for (i = 1; i <= NF; i++)
		said[port, name[i]] = $i
	# The outer header is in the frame too.
	sub(/^[^|]*\|/, "", said[port, "ip.src"])
	sub(/^[^|]*\|/, "", said[port, "ip.dst"])
}
END {
	split("wanted capable version flags address segment_size=segment.size " \
		"checksum_partial=segment.checksum_partial length error",
		keys, " ")
	for (port in ports) {
		n++
		if (kind_of(port) != told[port, "kind"])
			wrong(port, "kind is " kind_of(port))
		if (told[port, "kind"] == "more")
			continue
		for (i in keys) {
			m = split(keys[i], pair, "=")
			compare(port, pair[1], "simplevpn." pair[m])
		}
		m = split("prefix_length server mtu keepalive idle_timeout " \
			"retry dns search token error_code error_text",
			options, " ")
		for (i = 1; i <= m; i++)
			compare(port, options[i], "simplevpn.option." options[i])
		compare(port, "routes", "simplevpn.option.route")
		compare(port, "withdrawn", "simplevpn.option.withdrawn")
		compare(port, "source", "ip.src")
		compare(port, "destination", "ip.dst")
		malformed = field(port, "simplevpn.expert.bad_option") != ""
		if (malformed != (told[port, "malformed"] == "yes"))
			wrong(port, "malformed: " malformed)
	}
	printf "%d vectors, %d fields compared\n", n, n_compared
	exit (n_wrong > 0 || n < 40 || n_compared < 90)
}
