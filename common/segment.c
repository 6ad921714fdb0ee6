/* SPDX-License-Identifier: MIT */
/*
 * Cuts super-packets into the packets that a network card would have sent, and
 * completes the checksums that the kernel left to one.
 *
 * Theory of operation: most of the work is the checksum of the payload, so it
 * is summed while it is copied, in vectors of 16 bytes: measured, that is half
 * as fast again as a copy and a sum one after the other.  All else of a
 * segment's checksum is the header's, and hardly changes from one segment to
 * the next: its sum is made once with the changing fields left out, and these
 * are added for each segment (RFC 1071, the sum's order does not matter).
 */
#include "common/segment.h"

#include <string.h>

#include "proto/ippkt.h"
#include "proto/wire.h"

enum {
	IP_TOTAL_LEN = 2,	/* offsets of fields */
	IP_ID = 4,
	IP_CHECKSUM = 10,
	TCP_SEQUENCE = 4,
	TCP_DATA_OFFSET = 12,
	TCP_FLAGS = 13,
	TCP_CHECKSUM = 16,
	UDP_LENGTH = 4,
	UDP_CHECKSUM = 6,

	TCP_HEADER_LEN = 20,
	UDP_HEADER_LEN = 8,
	MAX_HEADER_LEN = 60,	/* of IP, and of TCP */

	FLAG_FIN = 0x01,
	FLAG_PSH = 0x08,
	FLAG_CWR = 0x80,
};

/* Where the parts of a packet begin and end, all in bytes. */
struct layout {
	uint32_t ip_len;	/* IP header */
	uint32_t header_len;	/* IP and transport header */
	uint32_t payload_len;
	bool tcp;
};

/* What does not change from one segment to the next. */
struct template {
	const uint8_t *header;
	struct layout layout;
	uint64_t ip_sum;	/* without length, identification */
	uint64_t transport_sum;	/* without length, sequence, flags; with the
				 * pseudo-header's addresses and protocol */
	uint32_t sequence;
	uint16_t id;
	uint8_t flags;
};

static bool read_tcp_layout(const uint8_t *tcp, uint32_t len,
			    uint32_t *header_len)
{
	if (len < TCP_HEADER_LEN)
		return false;
	*header_len = (uint32_t)(tcp[TCP_DATA_OFFSET] >> 4) * 4;
	return *header_len >= TCP_HEADER_LEN && *header_len <= len;
}

static bool read_udp_layout(const uint8_t *udp, uint32_t len,
			    uint32_t *header_len)
{
	*header_len = UDP_HEADER_LEN;
	return len >= UDP_HEADER_LEN && load_be16(udp + UDP_LENGTH) == len;
}

/* The layout of a valid IPv4 packet; false where it has no such layout. */
static bool read_layout(const struct packet *packet, struct layout *layout)
{
	uint32_t ip_len = ippkt_header_len(packet->data);
	uint32_t len = packet->len - ip_len;
	const uint8_t *transport = packet->data + ip_len;
	bool tcp = packet->data[9] == IPPKT_TCP;
	uint32_t header_len;

	if (ippkt_fragment(packet->data) & (IPPKT_FLAG_MF | IPPKT_OFFSET_MASK))
		return false;
	if (!tcp && packet->data[9] != IPPKT_UDP)
		return false;
	if (!(tcp ? read_tcp_layout : read_udp_layout)(transport, len,
						       &header_len))
		return false;
	layout->ip_len = ip_len;
	layout->header_len = ip_len + header_len;
	layout->payload_len = len - header_len;
	layout->tcp = tcp;
	return true;
}

static uint32_t count_segments(const struct packet *packet,
			       const struct layout *layout)
{
	uint32_t size = packet->segment_size;

	if (layout->payload_len <= size)
		return 1;
	return (layout->payload_len + size - 1) / size;
}

bool segment_check(const struct packet *packet)
{
	struct layout layout;

	if (!ippkt_valid(packet->data, packet->len))
		return false;
	if (!packet->checksum_partial)
		return packet->segment_size == 0;
	if (!read_layout(packet, &layout))
		return false;
	if (packet->segment_size == 0)
		return true;
	if (layout.tcp)
		return packet->segment_size >= SEGMENT_TCP_MIN_SIZE;
	return count_segments(packet, &layout) <= SEGMENT_UDP_MAX_COUNT;
}

uint32_t segment_count(const struct packet *packet)
{
	struct layout layout;

	if (packet->segment_size == 0 || !read_layout(packet, &layout))
		return 1;
	return count_segments(packet, &layout);
}

uint32_t segment_max_len(const struct packet *packet)
{
	struct layout layout;

	if (packet->segment_size == 0 || !read_layout(packet, &layout) ||
	    layout.payload_len <= packet->segment_size)
		return packet->len;
	return layout.header_len + packet->segment_size;
}

size_t segment_size(const struct packet *packet)
{
	struct layout layout;
	size_t n;

	if (packet->segment_size == 0 || !read_layout(packet, &layout))
		return packet->len;
	n = count_segments(packet, &layout);
	return layout.payload_len + n * layout.header_len;
}

typedef uint32_t vector __attribute__((vector_size(16)));

/*
 * Adds 16 bytes as 16-bit words.  A lane of 32 bits takes 65,537 words before
 * it overflows, many more than a packet has.
 */
static inline vector copy_add(uint8_t *out, const uint8_t *in, vector sum)
{
	vector v;

	memcpy(&v, in, sizeof(v));
	memcpy(out, &v, sizeof(v));
	return sum + (v & 0xffff) + (v >> 16);
}

/*
 * Copy len bytes, at most a packet's, and return the sum of their big-endian
 * 16-bit words; an odd last byte counts as if a zero followed.
 */
static uint32_t copy_and_sum(uint8_t *out, const uint8_t *in, size_t len)
{
	vector a = { 0 }, b = { 0 };
	uint8_t bytes[2] = { 0 };
	uint16_t word;
	uint64_t sum;

	for (; len >= 2 * sizeof(a); len -= 2 * sizeof(a)) {
		a = copy_add(out, in, a);
		b = copy_add(out + sizeof(a), in + sizeof(a), b);
		out += 2 * sizeof(a);
		in += 2 * sizeof(a);
	}
	a += b;
	sum = (uint64_t)a[0] + a[1] + a[2] + a[3];
	for (; len >= 2; len -= 2, in += 2, out += 2) {
		memcpy(&word, in, sizeof(word));
		memcpy(out, &word, sizeof(word));
		sum += word;
	}
	if (len != 0) {
		bytes[0] = out[0] = in[0];
		memcpy(&word, bytes, sizeof(word));
		sum += word;
	}
	/* Words were added as they lie in memory: swapped on most machines. */
	word = ippkt_fold(sum);
	memcpy(bytes, &word, sizeof(bytes));
	return load_be16(bytes);
}

/* The sum of a transport header, all changing fields taken as 0. */
static uint64_t sum_transport_header(const struct template *t)
{
	uint32_t len = t->layout.header_len - t->layout.ip_len;
	uint8_t copy[MAX_HEADER_LEN];

	memcpy(copy, t->header + t->layout.ip_len, len);
	if (t->layout.tcp) {
		store_be32(copy + TCP_SEQUENCE, 0);
		copy[TCP_FLAGS] = 0;
		store_be16(copy + TCP_CHECKSUM, 0);
	} else {
		store_be16(copy + UDP_LENGTH, 0);
		store_be16(copy + UDP_CHECKSUM, 0);
	}
	return ippkt_sum(copy, len, ippkt_pseudo_sum(t->header, 0));
}

static void template_init(struct template *t, const uint8_t *header,
			  const struct layout *layout)
{
	const uint8_t *transport = header + layout->ip_len;
	uint8_t ip[MAX_HEADER_LEN];

	t->header = header;
	t->layout = *layout;
	memcpy(ip, header, layout->ip_len);
	store_be16(ip + IP_TOTAL_LEN, 0);
	store_be16(ip + IP_ID, 0);
	store_be16(ip + IP_CHECKSUM, 0);
	t->ip_sum = ippkt_sum(ip, layout->ip_len, 0);
	t->transport_sum = sum_transport_header(t);
	t->id = load_be16(header + IP_ID);
	t->sequence = layout->tcp ? load_be32(transport + TCP_SEQUENCE) : 0;
	t->flags = layout->tcp ? transport[TCP_FLAGS] : 0;
}

static void write_ip_header(const struct template *t, uint8_t *ip,
			    uint32_t total_len, uint16_t id)
{
	uint64_t sum = t->ip_sum + total_len + id;

	store_be16(ip + IP_TOTAL_LEN, (uint16_t)total_len);
	store_be16(ip + IP_ID, id);
	store_be16(ip + IP_CHECKSUM, (uint16_t)~ippkt_fold(sum));
}

static void write_tcp_header(const struct template *t, uint8_t *tcp,
			     uint32_t sequence, uint8_t flags, uint64_t sum)
{
	sum += (sequence >> 16) + (sequence & 0xffff) + flags;
	store_be32(tcp + TCP_SEQUENCE, sequence);
	tcp[TCP_FLAGS] = flags;
	store_be16(tcp + TCP_CHECKSUM,
		   (uint16_t)~ippkt_fold(sum + t->transport_sum));
}

/* A checksum that comes out as 0 is sent as its other zero (RFC 768). */
static uint16_t udp_checksum(uint64_t sum)
{
	uint16_t checksum = (uint16_t)~ippkt_fold(sum);

	return checksum == 0 ? 0xffff : checksum;
}

static void write_udp_header(const struct template *t, uint8_t *udp,
			     uint32_t len, uint64_t sum)
{
	store_be16(udp + UDP_LENGTH, (uint16_t)len);
	store_be16(udp + UDP_CHECKSUM,
		   udp_checksum(sum + len + t->transport_sum));
}

/* Write the segment whose payload is at offset of the whole; its length. */
static uint32_t write_segment(const struct template *t, uint8_t *out,
			      uint32_t offset, uint32_t len, uint16_t index)
{
	const struct layout *l = &t->layout;
	uint32_t transport_len = l->header_len - l->ip_len + len;
	uint8_t flags = t->flags;
	uint64_t sum;

	memcpy(out, t->header, l->header_len);
	sum = copy_and_sum(out + l->header_len,
			   t->header + l->header_len + offset, len);
	sum += transport_len;	/* of the pseudo-header */
	write_ip_header(t, out, l->header_len + len,
			(uint16_t)(t->id + index));
	if (index != 0)
		flags &= (uint8_t)~FLAG_CWR;
	if (offset + len != l->payload_len)
		flags &= (uint8_t)~(FLAG_FIN | FLAG_PSH);
	if (l->tcp)
		write_tcp_header(t, out + l->ip_len, t->sequence + offset,
				 flags, sum);
	else
		write_udp_header(t, out + l->ip_len, transport_len, sum);
	return l->header_len + len;
}

size_t segment_write(const struct packet *packet, uint8_t *out)
{
	struct packet copy = *packet;
	struct layout layout;
	struct template t;
	uint32_t offset = 0;
	uint16_t index = 0;
	uint8_t *end = out;
	uint32_t len;

	if (packet->segment_size == 0 || !read_layout(packet, &layout)) {
		memcpy(out, packet->data, packet->len);
		copy.data = out;
		segment_finish_checksum(&copy);
		return packet->len;
	}
	template_init(&t, packet->data, &layout);
	do {
		len = layout.payload_len - offset;
		if (len > packet->segment_size)
			len = packet->segment_size;
		end += write_segment(&t, end, offset, len, index++);
		offset += len;
	} while (offset < layout.payload_len);
	return (size_t)(end - out);
}

void segment_finish_checksum(struct packet *packet)
{
	struct layout layout;
	uint8_t *transport;
	uint32_t len;
	uint64_t sum;

	if (!packet->checksum_partial || !read_layout(packet, &layout))
		return;
	packet->checksum_partial = false;
	transport = packet->data + layout.ip_len;
	len = packet->len - layout.ip_len;
	store_be16(transport + (layout.tcp ? TCP_CHECKSUM : UDP_CHECKSUM), 0);
	sum = ippkt_sum(transport, len, ippkt_pseudo_sum(packet->data, len));
	if (layout.tcp)
		store_be16(transport + TCP_CHECKSUM,
			   (uint16_t)~ippkt_fold(sum));
	else
		store_be16(transport + UDP_CHECKSUM, udp_checksum(sum));
}
