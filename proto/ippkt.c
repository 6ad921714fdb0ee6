/* SPDX-License-Identifier: MIT */
/*
 * Checksums of inner IPv4 packets, and the ICMP messages made out of them.
 *
 * Theory of operation: the one's complement sum of RFC 1071 does not care in
 * which order of bytes it is taken, as long as the result is swapped in the
 * end, nor how wide the words are, as long as every carry is added back.  So
 * the sum runs over 64-bit words as they lie in memory, in four chains that do
 * not wait for each other, and is brought into network order once per call.
 */
#include "proto/ippkt.h"

enum {
	ICMP_HEADER_LEN = 8,
	ICMP_ECHO_REPLY = 0,
	ICMP_UNREACHABLE = 3,
	ICMP_SOURCE_QUENCH = 4,
	ICMP_REDIRECT = 5,
	ICMP_ECHO_REQUEST = 8,
	ICMP_TIME_EXCEEDED = 11,
	ICMP_PARAMETER_PROBLEM = 12,
	ICMP_CODE_HOST = 1,
	ICMP_CODE_FRAGMENTATION = 4,
	TOS_INTERNETWORK_CONTROL = 0xc0, /* errors have it: RFC 1812 4.3.2.5 */
	DEFAULT_TTL = 64,		/* RFC 1700, "IP time to live" */
};

bool ippkt_valid(const uint8_t *data, size_t len)
{
	uint32_t header_len;

	if (len < IPPKT_HEADER_LEN || data[0] >> 4 != 4)
		return false;
	header_len = ippkt_header_len(data);
	return header_len >= IPPKT_HEADER_LEN && header_len <= len &&
	       ippkt_total_len(data) == len;
}

static inline uint64_t add_word(uint64_t sum, uint64_t word)
{
	sum += word;
	return sum + (sum < word);
}

static inline uint64_t load_word(const uint8_t *p)
{
	uint64_t word;

	__builtin_memcpy(&word, p, sizeof(word));
	return word;
}

/*
 * The sum of the up to seven bytes that are left; an odd one counts as if a
 * zero followed it.  In steps, since a header is 20 bytes and so ends here.
 */
static inline uint64_t sum_tail(const uint8_t *p, size_t len)
{
	uint64_t sum = 0;
	uint32_t four;
	uint16_t two;

	if (len & 4) {
		__builtin_memcpy(&four, p, sizeof(four));
		sum += four;
		p += 4;
	}
	if (len & 2) {
		__builtin_memcpy(&two, p, sizeof(two));
		sum += two;
		p += 2;
	}
	if (len & 1) {
		const uint8_t last[2] = { *p, 0 };

		__builtin_memcpy(&two, last, sizeof(two));
		sum += two;
	}
	return sum;
}

uint16_t ippkt_fold(uint64_t sum)
{
	sum = (sum & 0xffffffffU) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

uint64_t ippkt_sum(const uint8_t *data, size_t len, uint64_t sum)
{
	uint64_t a = 0, b = 0, c = 0, d = 0;
	uint8_t bytes[2];
	uint16_t native;

	for (; len >= 32; data += 32, len -= 32) {
		a = add_word(a, load_word(data));
		b = add_word(b, load_word(data + 8));
		c = add_word(c, load_word(data + 16));
		d = add_word(d, load_word(data + 24));
	}
	a = add_word(add_word(a, b), add_word(c, d));
	for (; len >= 8; data += 8, len -= 8)
		a = add_word(a, load_word(data));
	a = add_word(a, sum_tail(data, len));
	native = ippkt_fold(a);
	__builtin_memcpy(bytes, &native, sizeof(bytes));
	return sum + load_be16(bytes);
}

uint64_t ippkt_pseudo_sum(const uint8_t *packet, uint32_t len)
{
	return (uint64_t)ippkt_source(packet) + ippkt_destination(packet) +
	       packet[9] + len;
}

/* Store the checksum of data[0..len), whose field is at offset. */
static void set_checksum(uint8_t *data, size_t len, size_t offset)
{
	store_be16(data + offset, 0);
	store_be16(data + offset, (uint16_t)~ippkt_fold(ippkt_sum(data, len,
								  0)));
}

static bool has_good_checksum(const uint8_t *data, size_t len)
{
	return ippkt_fold(ippkt_sum(data, len, 0)) == 0xffff;
}

void ippkt_set_header_checksum(uint8_t *packet)
{
	set_checksum(packet, ippkt_header_len(packet), 10);
}

/* Neither 0/8 nor 127/8 nor anything from multicast on: RFC 1812 5.3.7. */
static bool is_host_address(uint32_t address)
{
	return address >> 24 != 0 && address >> 24 != 127 &&
	       address < 0xe0000000U;
}

static bool is_icmp_error(const uint8_t *packet, size_t len)
{
	uint32_t header_len = ippkt_header_len(packet);

	if (packet[9] != IPPKT_ICMP)
		return false;
	if (len <= header_len)
		return true;	/* its type cannot be told: be quiet */
	switch (packet[header_len]) {
	case ICMP_UNREACHABLE:
	case ICMP_SOURCE_QUENCH:
	case ICMP_REDIRECT:
	case ICMP_TIME_EXCEEDED:
	case ICMP_PARAMETER_PROBLEM:
		return true;
	default:
		return false;
	}
}

static bool may_cause_error(const uint8_t *packet, size_t len)
{
	return (ippkt_fragment(packet) & IPPKT_OFFSET_MASK) == 0 &&
	       is_host_address(ippkt_source(packet)) &&
	       is_host_address(ippkt_destination(packet)) &&
	       !is_icmp_error(packet, len);
}

size_t ippkt_write_icmp_error(uint8_t out[IPPKT_ICMP_ERROR_MAX],
			      enum ippkt_icmp_error error, uint32_t source,
			      uint16_t mtu, const uint8_t *offender,
			      size_t len)
{
	const size_t headers = IPPKT_HEADER_LEN + ICMP_HEADER_LEN;
	uint8_t *icmp = out + IPPKT_HEADER_LEN;
	size_t quoted = len, total;

	if (!may_cause_error(offender, len))
		return 0;
	if (quoted > IPPKT_ICMP_ERROR_MAX - headers)
		quoted = IPPKT_ICMP_ERROR_MAX - headers;
	total = headers + quoted;

	__builtin_memset(out, 0, headers);
	out[0] = 0x45;
	out[1] = TOS_INTERNETWORK_CONTROL;
	store_be16(out + 2, (uint16_t)total);
	/* Never fragmented, so its identification may be 0: RFC 6864. */
	store_be16(out + 6, IPPKT_FLAG_DF);
	out[8] = DEFAULT_TTL;
	out[9] = IPPKT_ICMP;
	store_be32(out + 12, source);
	store_be32(out + 16, ippkt_source(offender));
	ippkt_set_header_checksum(out);

	icmp[0] = ICMP_UNREACHABLE;
	icmp[1] = ICMP_CODE_HOST;
	if (error == IPPKT_FRAGMENTATION_NEEDED) {
		icmp[1] = ICMP_CODE_FRAGMENTATION;
		store_be16(icmp + 6, mtu);
	}
	__builtin_memcpy(icmp + ICMP_HEADER_LEN, offender, quoted);
	set_checksum(icmp, ICMP_HEADER_LEN + quoted, 2);
	return total;
}

/* Whole, unfragmented, from one host to one host, checksums right. */
static bool is_echo_request(const uint8_t *packet, size_t len)
{
	const uint32_t fragmented = IPPKT_FLAG_MF | IPPKT_OFFSET_MASK;
	uint32_t header_len;

	if (!ippkt_valid(packet, len) || packet[9] != IPPKT_ICMP)
		return false;
	header_len = ippkt_header_len(packet);
	if (len - header_len < ICMP_HEADER_LEN ||
	    (ippkt_fragment(packet) & fragmented) != 0)
		return false;
	if (packet[header_len] != ICMP_ECHO_REQUEST ||
	    packet[header_len + 1] != 0)
		return false;
	return is_host_address(ippkt_source(packet)) &&
	       is_host_address(ippkt_destination(packet)) &&
	       has_good_checksum(packet, header_len) &&
	       has_good_checksum(packet + header_len, len - header_len);
}

bool ippkt_make_echo_reply(uint8_t *packet, size_t len)
{
	uint32_t header_len, source;

	if (!is_echo_request(packet, len))
		return false;
	header_len = ippkt_header_len(packet);
	source = ippkt_source(packet);
	store_be32(packet + 12, ippkt_destination(packet));
	store_be32(packet + 16, source);
	packet[8] = DEFAULT_TTL;
	ippkt_set_header_checksum(packet);
	packet[header_len] = ICMP_ECHO_REPLY;
	set_checksum(packet + header_len, len - header_len, 2);
	return true;
}
