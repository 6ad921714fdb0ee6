# SPDX-License-Identifier: MIT
#
# The test vectors of docs/protocol.md as a capture: each is a TCP connection of
# its own, from client port 10000 + N, with what has to be said first for its
# state.  Prints the capture in hex, to be made bytes of; the vectors go to the
# file in "expected", a line "PORT KEY VALUE" each, the
# key "frame" being the number of its first segment.  "server_port" is the
# server's, "cut" how many bytes a segment of the vector has; 0: all in one.

function hex16(n) { return sprintf("%04x", n) }
function hex32(n) { return hex16(int(n / 65536)) hex16(n % 65536) }

# Little-endian, as the file's headers are here.
function file32(n) {
	return sprintf("%02x%02x%02x%02x", n % 256, int(n / 256) % 256,
		int(n / 65536) % 256, int(n / 16777216))
}

function repeat(byte, n,   text) {
	for (text = ""; n > 0; n--)
		text = text byte
	return text
}

# One segment, an IPv4 packet with TCP and these bytes, as a record.
function segment(from, bytes,   len, packet) {
	len = length(bytes) / 2
	packet = "4500" hex16(40 + len) "0000400040060000" \
		(from == "client" ? "c000020bc0000201" : "c0000201c000020b") \
		(from == "client" ? hex16(port) hub : hub hex16(port)) \
		hex32(sent[from]) \
		hex32(sent[from == "client" ? "server" : "client"]) \
		"5018ffff00000000" bytes
	printf "%s%s%s%s%s\n", file32(++n_packets), file32(0),
		file32(40 + len), file32(40 + len), packet
	sent[from] += len
}

function said(word) { return (" " state " ") ~ (" " word " ") }

function flush_vector(   flags, i) {
	if (!inside || kind == "" || (limit != "" && kind == "bad"))
		return
	port = 10000 + ++n_vectors
	sent["client"] = sent["server"] = 1
	flags = said("segments") ? "0003" : "0001"
	if (said("capable"))
		segment("client", "4514000053560000" "4001" flags repeat("0", 16))
	else if (said("joined") || from == "server")
		segment("client", "451400000000000040000000" repeat("0", 16))
	if (said("joined") && said("capable"))
		segment("server", "4514001476530000" "4001" flags \
			"000000000a000002")
	else if (said("joined"))
		segment("server", "451400000000000040000000" "000000000a000002")
	lines = lines port "\tframe\t" n_packets + 1 "\n"
	for (i = 1; cut && i <= length(bytes); i += 2 * cut)
		segment(from, substr(bytes, i, 2 * cut))
	if (!cut && bytes != "")
		segment(from, bytes)
	printf "%s", lines >expected
}

BEGIN {
	hub = hex16(server_port)
	print "d4c3b2a1" "0200" "0400" file32(0) file32(0) \
		file32(262144) file32(101)
}
/^```vector/ {
	inside = 1
	bytes = kind = limit = lines = ""
	next
}
/^```/ {
	flush_vector()
	inside = 0
}
!inside { next }
$1 == "bytes" {
	for (i = 2; i <= NF; i++)
		bytes = bytes $i
	next
}
$1 == "repeat" { bytes = bytes repeat($3, $2); next }
$1 == "from" { from = $2 }
$1 == "kind" { kind = $2 }
$1 == "limit" { limit = $2 }
$1 == "state" {
	state = $0
	sub(/^state /, "", state)
}
{
	key = $1
	value = $0
	sub(/^[^ ]+ ?/, "", value)
	lines = lines (10000 + n_vectors + 1) "\t" key "\t" value "\n"
}
