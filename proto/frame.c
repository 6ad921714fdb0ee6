/* SPDX-License-Identifier: MIT */
/*
 * The decoder of the stream: which message begins at a byte, and how long it
 * is.
 *
 * Theory of operation: a message is recognised by its addresses before any
 * length is looked at, because a client may put anything at all into the other
 * fields of its request and its keepalive, and real ones leave the total
 * length 0.  The order of the decisions is part of the protocol (section
 * "Recognition" of docs/protocol.md):
 *
 *   1. fewer than 20 bytes: wait
 *   2. super-packets agreed and first nibble 0xf: prefix and packet
 *   3. both addresses all ones: keepalive
 *   4. joined and first nibble 6: IPv6, since bytes 12 to 19 of its header lie
 *      within the source address and are all zero in fe80::1
 *   5. the address of the request or of the reply is zero: control
 *   6. first nibble 6: IPv6
 *   7. an IPv4 packet, or the end of the connection
 *
 * An ordinary packet passes steps 2, 4 and 6 for its first nibble alone, so
 * frame_next() tries 3, 5 and 7 first and leaves the rest to decide_rest().
 */
#include "proto/frame.h"

#include "proto/wire.h"

enum {
	IPV4_HEADER_LEN = 20,
	REPLY_IDENTIFICATION = 0x7653,	/* "vS", of a capable server */
	PREFIX_BYTE = 0xf0,
	PREFIX_CHECKSUM_PARTIAL = 1 << 0,
	PREFIX_JUDGED_LEN = FRAME_SEGMENT_PREFIX_LEN + IPV4_HEADER_LEN,
};

/* The first byte of an IPv4 header of a length that can be. */
static inline bool is_ipv4_start(uint8_t byte)
{
	return byte >= 0x45 && byte <= 0x4f;
}

static inline bool is_keepalive(const uint8_t *buf)
{
	return (load_be32(buf + 12) & load_be32(buf + 16)) == UINT32_MAX;
}

static inline bool is_control(const struct frame_rules *rules,
			      const uint8_t *buf)
{
	return load_be32(buf + (rules->from_server ? 12 : 16)) == 0;
}

static inline enum frame_kind set(struct frame *frame, enum frame_kind kind,
				  uint32_t len)
{
	frame->kind = kind;
	frame->error = FRAME_OK;
	frame->len = len;
	frame->packet_offset = 0;
	frame->segment_size = 0;
	frame->checksum_partial = false;
	return kind;
}

/* A message of this kind and length, if all of it is there. */
static inline enum frame_kind take(struct frame *frame, enum frame_kind kind,
				   uint32_t message_len, size_t len)
{
	return set(frame, len < message_len ? FRAME_MORE : kind, message_len);
}

static enum frame_kind fail(struct frame *frame, enum frame_error error)
{
	set(frame, FRAME_BAD, 0);
	frame->error = error;
	return FRAME_BAD;
}

static enum frame_kind decide_segment(const uint8_t *buf, size_t len,
				      struct frame *frame)
{
	const uint8_t *packet = buf + FRAME_SEGMENT_PREFIX_LEN;
	uint32_t total_len;
	uint16_t segment_size;

	if (len < PREFIX_JUDGED_LEN)
		return set(frame, FRAME_MORE, PREFIX_JUDGED_LEN);
	segment_size = load_be16(buf + 2);
	/* A segment size needs the flag, and without a size the flag is the
	 * only reason for a prefix: so it is always set. */
	if (buf[0] != PREFIX_BYTE || buf[1] != PREFIX_CHECKSUM_PARTIAL)
		return fail(frame, FRAME_BAD_SEGMENT);
	total_len = load_be16(packet + 2);
	if (!is_ipv4_start(packet[0]) || total_len < (packet[0] & 0xfU) * 4)
		return fail(frame, FRAME_BAD_SEGMENT);
	if (take(frame, FRAME_IPV4, FRAME_SEGMENT_PREFIX_LEN + total_len,
		 len) == FRAME_MORE)
		return FRAME_MORE;
	frame->packet_offset = FRAME_SEGMENT_PREFIX_LEN;
	frame->segment_size = segment_size;
	frame->checksum_partial = true;
	return FRAME_IPV4;
}

static enum frame_kind decide_control(const struct frame_rules *rules,
				      const uint8_t *buf, size_t len,
				      struct frame *frame)
{
	uint32_t total_len;

	if (!rules->from_server)
		return take(frame, FRAME_REQUEST, FRAME_CONTROL_LEN, len);
	if (!rules->capable || load_be16(buf + 4) != REPLY_IDENTIFICATION)
		return take(frame, FRAME_REPLY, FRAME_CONTROL_LEN, len);
	total_len = load_be16(buf + 2);
	if (total_len < FRAME_CONTROL_LEN)
		return fail(frame, FRAME_BAD_TOTAL_LENGTH);
	if (total_len > FRAME_MAX_REPLY)
		return fail(frame, FRAME_TOO_LONG);
	return take(frame, FRAME_REPLY, total_len, len);
}

/* Everything but a good IPv4 data packet.  There are 20 bytes. */
static enum frame_kind decide_rest(const struct frame_rules *rules,
				   const uint8_t *buf, size_t len,
				   struct frame *frame)
{
	const unsigned int nibble = buf[0] >> 4;
	const uint32_t ipv6_len = FRAME_IPV6_HEADER_LEN + load_be16(buf + 4);

	if (rules->joined && rules->segments && nibble == 0xf)
		return decide_segment(buf, len, frame);
	if (is_keepalive(buf))
		return take(frame, FRAME_KEEPALIVE, FRAME_CONTROL_LEN, len);
	if (rules->joined && nibble == 6)
		return take(frame, FRAME_IPV6, ipv6_len, len);
	if (is_control(rules, buf))
		return decide_control(rules, buf, len, frame);
	if (nibble == 6)
		return take(frame, FRAME_IPV6, ipv6_len, len);
	if (nibble != 4)
		return fail(frame, FRAME_BAD_VERSION);
	if (!is_ipv4_start(buf[0]))
		return fail(frame, FRAME_BAD_HEADER_LENGTH);
	if (load_be16(buf + 2) < (buf[0] & 0xfU) * 4)
		return fail(frame, FRAME_BAD_TOTAL_LENGTH);
	return fail(frame, FRAME_TOO_LONG);
}

enum frame_kind frame_next(const struct frame_rules *rules, const uint8_t *buf,
			   size_t len, struct frame *frame)
{
	uint32_t total_len;

	if (len < FRAME_CONTROL_LEN)
		return set(frame, FRAME_MORE, FRAME_CONTROL_LEN);
	total_len = load_be16(buf + 2);
	if (!is_ipv4_start(buf[0]) || is_keepalive(buf) ||
	    is_control(rules, buf) || total_len < (buf[0] & 0xfU) * 4 ||
	    total_len > rules->max_packet)
		return decide_rest(rules, buf, len, frame);
	return take(frame, FRAME_IPV4, total_len, len);
}

void frame_write_prefix(uint8_t out[FRAME_SEGMENT_PREFIX_LEN],
			uint16_t segment_size, bool checksum_partial)
{
	out[0] = PREFIX_BYTE;
	out[1] = checksum_partial ? PREFIX_CHECKSUM_PARTIAL : 0;
	store_be16(out + 2, segment_size);
}

uint32_t frame_message_len(const uint8_t *message, uint32_t *ip_offset)
{
	*ip_offset = message[0] == PREFIX_BYTE ? FRAME_SEGMENT_PREFIX_LEN : 0;
	return *ip_offset + load_be16(message + *ip_offset + 2);
}

const char *frame_error_name(enum frame_error error)
{
	static const char *const names[FRAME_N_ERRORS] = {
		[FRAME_OK] = "no error",
		[FRAME_BAD_VERSION] = "neither IPv4 nor IPv6",
		[FRAME_BAD_HEADER_LENGTH] = "bad header length",
		[FRAME_BAD_TOTAL_LENGTH] = "bad total length",
		[FRAME_TOO_LONG] = "packet too long",
		[FRAME_BAD_SEGMENT] = "bad super-packet",
		[FRAME_BAD_OPTIONS] = "malformed options",
	};

	if ((unsigned int)error >= FRAME_N_ERRORS)
		return "unknown error";
	return names[error];
}
