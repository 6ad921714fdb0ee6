-- SPDX-License-Identifier: MIT
--
-- A Wireshark dissector for the simplevpn protocol (docs/protocol.md).
--
--	wireshark -X lua_script:simplevpn.lua capture.pcap
--	tshark -X lua_script:simplevpn.lua -r capture.pcap -Y simplevpn
--
-- Or copy it to the directory of personal Lua plugins, which Wireshark names
-- under Help, About, Folders.  Another port than 2002: the preference
-- "simplevpn.port", or Decode As.
--
-- Theory of operation: what a message is depends on what the two ends have
-- said before, so each TCP connection has rules: has the client an address
-- (joined), did it say that it is capable, were super-packets granted.  They
-- follow the messages in the order of the capture, on the first pass.
-- Wireshark dissects a frame again whenever somebody looks at it; the rules
-- that held at the start of each piece of the stream are kept for that.  A
-- capture that begins in the middle of a connection has no request in it; then
-- the rules are guessed (known is false), and a piece that cannot be decoded
-- does not stop the next segment from being tried.

local simplevpn = Proto("simplevpn", "Simplevpn Protocol")

local CONTROL_LEN = 20
local IPV6_HEADER_LEN = 40
local PREFIX_LEN = 4
local MAX_REPLY = 1500
local MIN_MTU = 68
local REQUEST_MARK = 0x5356
local REPLY_MARK = 0x7653
local FLAG_OPTIONS = 0x0001
local FLAG_SEGMENTS = 0x0002
local FLAG_IPV6 = 0x0004
local MAX_NAMED = 4	-- messages of one segment that the Info column names

simplevpn.prefs.port = Pref.uint("TCP port of the server", 2002,
	"The port that the server listens on")

local option_names = {
	[1] = "prefix length", [2] = "server address", [3] = "MTU",
	[4] = "keepalive interval", [5] = "idle timeout", [6] = "routes",
	[7] = "DNS servers", [8] = "search domain", [9] = "lease token",
	[10] = "error", [11] = "retry after", [12] = "withdrawn",
}

local error_names = {
	[0] = "no reason given",
	[1] = "the address is in use",
	[2] = "the address is not to be had",
	[3] = "no address is free",
	[4] = "the server is full",
	[5] = "the server is restarting",
}

local field = {
	message = ProtoField.string("simplevpn.message", "Message"),
	length = ProtoField.uint32("simplevpn.length", "Length"),
	error = ProtoField.string("simplevpn.error", "Cannot be decoded"),
	undecoded = ProtoField.bytes("simplevpn.undecoded",
		"Undecoded bytes"),
	total_length = ProtoField.uint16("simplevpn.total_length",
		"Total length"),
	identification = ProtoField.uint16("simplevpn.identification",
		"Identification", base.HEX),
	capable = ProtoField.bool("simplevpn.capable", "Capable"),
	version = ProtoField.uint8("simplevpn.version",
		"Version of the extension"),
	flags = ProtoField.uint16("simplevpn.flags", "Flags", base.HEX),
	flag_options = ProtoField.bool("simplevpn.flags.options",
		"Options", 16, nil, FLAG_OPTIONS),
	flag_segments = ProtoField.bool("simplevpn.flags.segments",
		"Super-packets", 16, nil, FLAG_SEGMENTS),
	flag_ipv6 = ProtoField.bool("simplevpn.flags.ipv6",
		"IPv6", 16, nil, FLAG_IPV6),
	wanted = ProtoField.ipv4("simplevpn.wanted", "Wanted address"),
	address = ProtoField.ipv4("simplevpn.address", "Assigned address"),
	reason = ProtoField.string("simplevpn.reason", "Reason"),
	reply_in = ProtoField.framenum("simplevpn.reply_in", "Reply in frame",
		base.NONE, frametype.RESPONSE),
	request_in = ProtoField.framenum("simplevpn.request_in",
		"Request in frame", base.NONE, frametype.REQUEST),
	option = ProtoField.none("simplevpn.option", "Option"),
	option_type = ProtoField.uint8("simplevpn.option.type", "Type",
		base.DEC, option_names),
	option_length = ProtoField.uint8("simplevpn.option.length", "Length"),
	option_value = ProtoField.bytes("simplevpn.option.value", "Value"),
	prefix_length = ProtoField.uint8("simplevpn.option.prefix_length",
		"Prefix length"),
	server = ProtoField.ipv4("simplevpn.option.server", "Server address"),
	mtu = ProtoField.uint16("simplevpn.option.mtu", "MTU"),
	keepalive = ProtoField.uint16("simplevpn.option.keepalive",
		"Keepalive interval, seconds"),
	idle_timeout = ProtoField.uint16("simplevpn.option.idle_timeout",
		"Idle timeout, seconds"),
	route = ProtoField.string("simplevpn.option.route", "Route"),
	dns = ProtoField.ipv4("simplevpn.option.dns", "DNS server"),
	search = ProtoField.string("simplevpn.option.search", "Search domain"),
	token = ProtoField.bytes("simplevpn.option.token", "Lease token"),
	error_code = ProtoField.uint16("simplevpn.option.error_code",
		"Error code", base.DEC, error_names),
	error_text = ProtoField.string("simplevpn.option.error_text",
		"Error text"),
	retry = ProtoField.uint32("simplevpn.option.retry",
		"Retry after, milliseconds"),
	withdrawn = ProtoField.uint8("simplevpn.option.withdrawn",
		"Withdrawn", base.DEC, option_names),
	segment_flags = ProtoField.uint8("simplevpn.segment.flags",
		"Prefix flags", base.HEX),
	checksum_partial = ProtoField.bool(
		"simplevpn.segment.checksum_partial", "Checksum partial", 8,
		nil, 0x01),
	segment_size = ProtoField.uint16("simplevpn.segment.size",
		"Segment size"),
}
simplevpn.fields = field

local expert_bad = ProtoExpert.new("simplevpn.expert.bad_message",
	"Bytes that cannot be a message", expert.group.MALFORMED,
	expert.severity.ERROR)
local expert_option = ProtoExpert.new("simplevpn.expert.bad_option",
	"Malformed option", expert.group.MALFORMED, expert.severity.ERROR)
local expert_refused = ProtoExpert.new("simplevpn.expert.refused",
	"The server refused or ended the connection",
	expert.group.RESPONSE_CODE, expert.severity.NOTE)
local expert_inner = ProtoExpert.new("simplevpn.expert.inner",
	"The inner packet is malformed", expert.group.MALFORMED,
	expert.severity.WARN)
simplevpn.experts = { expert_bad, expert_option, expert_refused, expert_inner }

local tcp_stream = Field.new("tcp.stream")
local ip_dissector = Dissector.get("ip")
local ipv6_dissector = Dissector.get("ipv6")

local connections	-- by addresses, ports and number: see connection_of()
local rules_at_start	-- by piece of the stream: see rules_of()

function simplevpn.init()
	connections, rules_at_start = {}, {}
end

-- --- recognition: section 4 of the protocol ---

local function more(len)
	return { kind = "more", len = len }
end

local function bad(why)
	return { kind = "bad", why = why }
end

local function take(kind, len, available)
	if available < len then
		return more(len)
	end
	return { kind = kind, len = len }
end

local function is_ipv4_start(byte)
	return byte >= 0x45 and byte <= 0x4f
end

local function decide_segment(tvb, at, available)
	local first, total, found

	if available < PREFIX_LEN + CONTROL_LEN then
		return more(PREFIX_LEN + CONTROL_LEN)
	end
	first = tvb(at + PREFIX_LEN, 1):uint()
	total = tvb(at + PREFIX_LEN + 2, 2):uint()
	if tvb(at, 2):uint() ~= 0xf001 or not is_ipv4_start(first) or
	    total < (first % 16) * 4 then
		return bad("bad super-packet")
	end
	found = take("ipv4", PREFIX_LEN + total, available)
	found.prefixed = true
	return found
end

local function decide_control(tvb, at, available, rules)
	local total = tvb(at + 2, 2):uint()

	if not rules.from_server then
		return take("request", CONTROL_LEN, available)
	end
	if not rules.capable or tvb(at + 4, 2):uint() ~= REPLY_MARK then
		return take("reply", CONTROL_LEN, available)
	end
	if total < CONTROL_LEN then
		return bad("bad total length")
	end
	if total > MAX_REPLY then
		return bad("packet too long")
	end
	return take("reply", total, available)
end

local function decide_ipv4(tvb, at, available)
	local first = tvb(at, 1):uint()
	local total = tvb(at + 2, 2):uint()

	if first < 0x40 or first > 0x4f then
		return bad("neither IPv4 nor IPv6")
	end
	if not is_ipv4_start(first) then
		return bad("bad header length")
	end
	if total < (first % 16) * 4 then
		return bad("bad total length")
	end
	return take("ipv4", total, available)
end

-- The message that begins at a byte, or how many bytes it takes to tell.
local function decide(tvb, at, rules)
	local available = tvb:len() - at
	local nibble, ipv6_len, source, destination, selects

	if available < CONTROL_LEN then
		return more(CONTROL_LEN)
	end
	nibble = math.floor(tvb(at, 1):uint() / 16)
	ipv6_len = IPV6_HEADER_LEN + tvb(at + 4, 2):uint()
	source = tvb(at + 12, 4):uint()
	destination = tvb(at + 16, 4):uint()
	selects = rules.from_server and source or destination
	if rules.joined and rules.segments and nibble == 0xf then
		return decide_segment(tvb, at, available)
	end
	if source == 0xffffffff and destination == 0xffffffff then
		return take("keepalive", CONTROL_LEN, available)
	end
	if rules.joined and nibble == 6 then
		return take("ipv6", ipv6_len, available)
	end
	if selects == 0 then
		return decide_control(tvb, at, available, rules)
	end
	if nibble == 6 then
		return take("ipv6", ipv6_len, available)
	end
	return decide_ipv4(tvb, at, available)
end

-- --- connections and their rules ---

-- A tunnel in a tunnel has the outer connection's tcp.stream in its frames too,
-- and a port that is used again has the same addresses: together they tell.
local function connection_of(pinfo)
	local client = tostring(pinfo.src) .. " " .. pinfo.src_port
	local server = tostring(pinfo.dst) .. " " .. pinfo.dst_port
	local port = simplevpn.prefs.port
	local stream = tcp_stream()
	local from_server, key

	if (pinfo.src_port == port) ~= (pinfo.dst_port == port) then
		from_server = pinfo.src_port == port
	else
		from_server = pinfo.src_port < pinfo.dst_port
	end
	if from_server then
		client, server = server, client
	end
	key = client .. " " .. server .. " " ..
		(stream and tostring(stream.value) or "")
	connections[key] = connections[key] or { key = key }
	return connections[key], from_server
end

-- The rules of a connection of which nothing was seen so far.
local function first_rules(tvb, from_server)
	local known = not from_server and tvb:len() >= CONTROL_LEN and
		tvb(16, 4):uint() == 0

	return { known = known, joined = not known, capable = not known,
		 segments = not known }
end

local function copy_rules(rules)
	return { known = rules.known, joined = rules.joined,
		 capable = rules.capable, segments = rules.segments }
end

local function rules_of(connection, from_server, tvb, pinfo)
	local piece = table.concat({ connection.key, tostring(from_server),
		pinfo.number, tvb:offset(), tvb:len() }, " ")
	local rules = rules_at_start[piece]

	if not rules then
		rules = connection.rules
		if not rules and not from_server and
		    tvb:len() < CONTROL_LEN then
			return { from_server = from_server }
		end
		rules = rules or first_rules(tvb, from_server)
		rules_at_start[piece] = copy_rules(rules)
	end
	rules = copy_rules(rules)
	rules.from_server = from_server
	return rules
end

-- --- what each message has in it ---

local function add_summary(tree, found)
	tree:add(field.message, found.name):set_generated()
	tree:add(field.length, found.len):set_generated()
	tree:append_text(", " .. found.summary)
end

local function add_flags(tree, range)
	local flags = tree:add(field.flags, range)

	flags:add(field.flag_options, range)
	flags:add(field.flag_segments, range)
	flags:add(field.flag_ipv6, range)
end

local function has_bit(value, bit)
	return math.floor(value / bit) % 2 == 1
end

local function dissect_request(message, tree, found, connection, pinfo, rules)
	local wanted = message(12, 4)
	local flags = message(10, 2):uint()
	local capable = message(4, 2):uint() == REQUEST_MARK and
		message(9, 1):uint() >= 1 and has_bit(flags, FLAG_OPTIONS)

	found.name = "request"
	found.summary = wanted:uint() == 0 and "Request for any address" or
		"Request for " .. tostring(wanted:ipv4())
	if capable then
		found.summary = found.summary .. ", capable"
	end
	add_summary(tree, found)
	tree:add(field.wanted, wanted)
	tree:add(field.capable, capable):set_generated()
	if capable then
		tree:add(field.identification, message(4, 2))
		tree:add(field.version, message(9, 1))
		add_flags(tree, message(10, 2))
		rules.capable = true
	end
	if not pinfo.visited then
		connection.request = pinfo.number
	elseif connection.replies and connection.replies[pinfo.number] then
		tree:add(field.reply_in, connection.replies[pinfo.number])
			:set_generated()
	end
end

local function printable(range)
	return (range:raw():gsub("[^\x20-\x7e]", "?"))
end

-- One function for each option's value; false: its rules do not allow it.
local options = {}

local function number_option(tree_field, len, min, max)
	return function(value, tree, told)
		local number

		if not value or value:len() ~= len then
			return false
		end
		number = value:uint()
		if number < min or number > max then
			return false
		end
		tree:add(tree_field, value)
		tree:append_text(": " .. number)
		return true
	end
end

options[1] = function(value, tree, told)
	told.prefix = value and value:len() == 1 and value:uint()
	return number_option(field.prefix_length, 1, 1, 32)(value, tree)
end

options[2] = function(value, tree)
	if not value or value:len() ~= 4 then
		return false
	end
	tree:add(field.server, value)
	tree:append_text(": " .. tostring(value:ipv4()))
	return true
end

options[3] = number_option(field.mtu, 2, MIN_MTU, 65535)
options[4] = number_option(field.keepalive, 2, 0, 65535)
options[5] = number_option(field.idle_timeout, 2, 0, 65535)

-- A route without the bits that its prefix length leaves out.
local function route_text(range)
	local len = range(0, 1):uint()
	local network = range(1, 4):uint()
	local host = 2 ^ (32 - len)

	network = network - network % host
	return string.format("%d.%d.%d.%d/%d", math.floor(network / 2 ^ 24),
		math.floor(network / 2 ^ 16) % 256,
		math.floor(network / 2 ^ 8) % 256, network % 256, len)
end

options[6] = function(value, tree)
	local routes = {}

	if not value or value:len() % 5 ~= 0 then
		return false
	end
	for at = 0, value:len() - 5, 5 do
		if value(at, 1):uint() > 32 then
			return false
		end
		routes[#routes + 1] = route_text(value(at, 5))
		tree:add(field.route, value(at, 5), routes[#routes])
	end
	tree:append_text(": " .. table.concat(routes, ", "))
	return true
end

options[7] = function(value, tree)
	if not value or value:len() % 4 ~= 0 then
		return false
	end
	for at = 0, value:len() - 4, 4 do
		tree:add(field.dns, value(at, 4))
	end
	return true
end

options[8] = function(value, tree)
	if not value or value:len() > 200 or
	    value:raw():find("[^\x21-\x7e]") then
		return false
	end
	tree:add(field.search, value, value:raw())
	tree:append_text(": " .. value:raw())
	return true
end

options[9] = function(value, tree)
	if not value or value:len() > 64 then
		return false
	end
	tree:add(field.token, value)
	return true
end

options[10] = function(value, tree, told)
	if not value or value:len() < 2 or value:len() > 202 then
		return false
	end
	told.code = value(0, 2):uint()
	told.reason = error_names[told.code] or "error " .. told.code
	tree:add(field.error_code, value(0, 2))
	if value:len() > 2 then
		told.text = printable(value(2))
		tree:add(field.error_text, value(2), told.text)
		told.reason = told.reason .. ": " .. told.text
	end
	tree:append_text(": " .. told.reason)
	return true
end

options[11] = function(value, tree, told)
	if not value or value:len() ~= 4 then
		return false
	end
	told.retry = value:uint()
	tree:add(field.retry, value)
	tree:append_text(": " .. told.retry .. " ms")
	return true
end

options[12] = function(value, tree)
	if not value then
		return false
	end
	for at = 0, value:len() - 1 do
		tree:add(field.withdrawn, value(at, 1))
	end
	return true
end

-- One option at a byte of a reply.  Returns where the next one is, or nil.
local function dissect_option(message, at, tree, told)
	local left = message:len() - at
	local len = left >= 2 and message(at + 1, 1):uint() or 0
	local item, kind, value, good

	if left < 2 or left < 2 + len then
		item = tree:add(field.option, message(at))
		item:append_text(" that runs past the end")
		item:add_proto_expert_info(expert_option)
		return nil
	end
	kind = message(at, 1):uint()
	item = tree:add(field.option, message(at, 2 + len))
	item:append_text(" " .. (option_names[kind] or kind))
	item:add(field.option_type, message(at, 1))
	item:add(field.option_length, message(at + 1, 1))
	value = len > 0 and message(at + 2, len) or nil
	if options[kind] then
		good = options[kind](value, item, told)
	else
		good = true
		if value then
			item:add(field.option_value, value)
		end
	end
	if not good then
		item:add_proto_expert_info(expert_option)
		return nil
	end
	return at + 2 + len
end

-- What a reply is depends on its address and on what is in it.
local function name_reply(found, address, told, rules)
	if address:uint() ~= 0 then
		found.name = "reply"
		found.summary = "Address " .. tostring(address:ipv4()) ..
			(told.prefix and "/" .. told.prefix or "")
		return
	end
	if not rules.joined then
		found.name = "refused"
		found.summary = "Refused: " ..
			(told.reason or "no reason given")
	elseif told.code then
		found.name = "closing"
		found.summary = "The server closes: " .. told.reason
	else
		found.name = "options"
		found.summary = "Pushed options"
	end
	if told.retry then
		found.summary = found.summary .. ", retry after " ..
			told.retry .. " ms"
	end
end

local function link_frames(tree, connection, pinfo)
	if not pinfo.visited and connection.request then
		connection.replies = connection.replies or {}
		connection.requests = connection.requests or {}
		connection.replies[connection.request] = pinfo.number
		connection.requests[pinfo.number] = connection.request
		connection.request = nil
	end
	if connection.requests and connection.requests[pinfo.number] then
		tree:add(field.request_in, connection.requests[pinfo.number])
			:set_generated()
	end
end

local function dissect_reply(message, tree, found, connection, pinfo, rules)
	local address = message(16, 4)
	local capable = rules.capable and
		message(4, 2):uint() == REPLY_MARK and
		message(2, 2):uint() == message:len()
	local told = {}
	local at = CONTROL_LEN
	local reason

	tree:add(field.address, address)
	tree:add(field.capable, capable):set_generated()
	if capable then
		tree:add(field.total_length, message(2, 2))
		tree:add(field.identification, message(4, 2))
		tree:add(field.version, message(9, 1))
		add_flags(tree, message(10, 2))
		while at and at < message:len() do
			at = dissect_option(message, at, tree, told)
		end
	end
	name_reply(found, address, told, rules)
	if not at then
		found.summary = found.summary .. ", malformed options"
	end
	add_summary(tree, found)
	link_frames(tree, connection, pinfo)
	if address:uint() ~= 0 then
		rules.joined = true
		if rules.known then
			rules.segments = capable and
				has_bit(message(10, 2):uint(), FLAG_SEGMENTS)
		end
	elseif told.reason then
		reason = tree:add(field.reason, told.reason)
		reason:set_generated()
		reason:add_proto_expert_info(expert_refused,
			"The server refused or ended the connection: " ..
			told.reason)
	end
end

local function dissect_keepalive(tree, found, rules)
	found.name = rules.from_server and "keepalive echo" or "keepalive"
	found.summary = rules.from_server and "Keepalive echo" or "Keepalive"
	add_summary(tree, found)
end

local function dissect_prefix(message, tree, found)
	local flags = tree:add(field.segment_flags, message(1, 1))

	flags:add(field.checksum_partial, message(1, 1))
	tree:add(field.segment_size, message(2, 2))
	found.summary = message(2, 2):uint() == 0 and
		", partial checksum" or
		", super-packet in segments of " .. message(2, 2):uint()
end

local function dissect_ipv4(message, tree, found, rules)
	local at = found.prefixed and PREFIX_LEN or 0
	local tail = ""

	if found.prefixed then
		dissect_prefix(message, tree, found)
		tail = found.summary
	end
	found.name = "ipv4"
	found.summary = string.format("IPv4 %s → %s, %d bytes%s",
		tostring(message(at + 12, 4):ipv4()),
		tostring(message(at + 16, 4):ipv4()), found.len - at, tail)
	add_summary(tree, found)
	if not rules.joined then
		tree:append_text(", before the join")
	end
	found.inner, found.inner_dissector = message(at):tvb(), ip_dissector
end

local function dissect_ipv6(message, tree, found)
	found.name = "ipv6"
	found.summary = string.format("IPv6 %s → %s, %d bytes",
		tostring(message(8, 16):ipv6()),
		tostring(message(24, 16):ipv6()), found.len)
	add_summary(tree, found)
	found.inner, found.inner_dissector = message:tvb(), ipv6_dissector
end

local function dissect_bad(rest, tree, found)
	local item = tree:add(field.error, found.why)

	found.name = "bad"
	found.summary = "Bytes that cannot be a message: " .. found.why
	item:set_generated()
	item:add_proto_expert_info(expert_bad,
		"Bytes that cannot be a message: " .. found.why)
	tree:add(field.undecoded, rest)
	tree:append_text(", " .. found.summary)
end

local function dissect_message(message, root, found, connection, pinfo, rules)
	local tree = root:add(simplevpn, message)

	found.tree = tree
	if found.kind == "request" then
		dissect_request(message, tree, found, connection, pinfo, rules)
	elseif found.kind == "reply" then
		dissect_reply(message, tree, found, connection, pinfo, rules)
	elseif found.kind == "keepalive" then
		dissect_keepalive(tree, found, rules)
	elseif found.kind == "ipv4" then
		dissect_ipv4(message, tree, found, rules)
	elseif found.kind == "ipv6" then
		dissect_ipv6(message, tree, found)
	else
		dissect_bad(message, tree, found)
	end
end

-- --- a piece of the stream ---

local function info_of(names)
	if #names <= MAX_NAMED then
		return table.concat(names, "; ")
	end
	return table.concat(names, "; ", 1, MAX_NAMED) ..
		string.format("; and %d more", #names - MAX_NAMED)
end

-- Inner dissectors write their own addresses and columns over the outer ones.
local function call_inner(found, pinfo, root)
	local src, dst = pinfo.src, pinfo.dst
	local src_port, dst_port = pinfo.src_port, pinfo.dst_port

	-- An inner packet that its dissector cannot read is an error here.
	if not pcall(found.inner_dissector.call, found.inner_dissector,
	    found.inner, pinfo, root) then
		found.tree:add_proto_expert_info(expert_inner)
	end
	pinfo.src, pinfo.dst = src, dst
	pinfo.src_port, pinfo.dst_port = src_port, dst_port
	pinfo.cols.src = tostring(src)
	pinfo.cols.dst = tostring(dst)
end

local function set_columns(pinfo, names)
	if #names > 0 then
		pinfo.cols.protocol = "simplevpn"
		pinfo.cols.info = info_of(names)
	end
end

function simplevpn.dissector(tvb, pinfo, root)
	local connection, from_server = connection_of(pinfo)
	local rules = rules_of(connection, from_server, tvb, pinfo)
	local names, at, missing = {}, 0, 0
	local found, message

	while at < tvb:len() do
		found = decide(tvb, at, rules)
		if found.kind == "more" then
			missing = found.len - (tvb:len() - at)
			break
		end
		message = tvb(at, found.len or tvb:len() - at)
		dissect_message(message, root, found, connection, pinfo, rules)
		names[#names + 1] = found.summary
		if found.inner then
			call_inner(found, pinfo, root)
		end
		at = at + message:len()
	end
	if not pinfo.visited and rules.known ~= nil then
		connection.rules = copy_rules(rules)
	end
	set_columns(pinfo, names)
	if tvb:reported_len() > tvb:len() then
		missing = 0	-- the capture has only the start of the segment
	end
	pinfo.desegment_offset = missing > 0 and at or 0
	pinfo.desegment_len = missing
	return tvb:len()
end

local registered

local function register()
	local tcp_ports = DissectorTable.get("tcp.port")

	if registered then
		tcp_ports:remove(registered, simplevpn)
	end
	registered = simplevpn.prefs.port
	tcp_ports:add(registered, simplevpn)
	tcp_ports:add_for_decode_as(simplevpn)
end

simplevpn.prefs_changed = register
register()
