/* SPDX-License-Identifier: MIT */
/*
 * Where one message of the stream ends and the next one begins.
 *
 * The decoder keeps no bytes: the caller hands it what it has and is not yet
 * consumed, and the decoder names the first whole message in it or says how
 * many bytes that message needs.  So the same bytes give the same messages
 * however they were cut.  docs/protocol.md is the normative text.
 *
 * Any thread may call; nothing here blocks, allocates or keeps state.
 */
#ifndef PROTO_FRAME_H
#define PROTO_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	FRAME_CONTROL_LEN = 20,		/* request, base reply, keepalive */
	FRAME_IPV6_HEADER_LEN = 40,
	FRAME_SEGMENT_PREFIX_LEN = 4,	/* in front of a super-packet */
	FRAME_MAX_REPLY = 1500,		/* a reply with options, at most */
	FRAME_MAX_PACKET = 65535,
	FRAME_MAX_LEN = FRAME_SEGMENT_PREFIX_LEN + FRAME_IPV6_HEADER_LEN +
			FRAME_MAX_PACKET,
};

enum frame_kind {
	FRAME_MORE,		/* no whole message yet; see frame.len */
	FRAME_REQUEST,		/* address request, client to server */
	FRAME_REPLY,		/* source 0, server to client */
	FRAME_KEEPALIVE,	/* or its echo */
	FRAME_IPV4,		/* data */
	FRAME_IPV6,		/* data, from peers that send it */
	FRAME_BAD,		/* cannot be a message: the connection ends */
};

enum frame_error {
	FRAME_OK,
	FRAME_BAD_VERSION,	/* version neither 4 nor 6 */
	FRAME_BAD_HEADER_LENGTH,	/* under 20 bytes */
	FRAME_BAD_TOTAL_LENGTH,	/* under the header length */
	FRAME_TOO_LONG,		/* over rules.max_packet or FRAME_MAX_REPLY */
	FRAME_BAD_SEGMENT,	/* prefix and packet do not fit together */
	FRAME_BAD_OPTIONS,	/* of a reply; found by the session, not here */
	FRAME_N_ERRORS
};

/* What the two ends of this connection have agreed on so far. */
struct frame_rules {
	bool from_server;	/* direction of the bytes to be decoded */
	bool joined;		/* the address exchange is over */
	bool capable;		/* replies may carry options */
	bool segments;		/* super-packets may come (nibble 0xf) */
	uint32_t max_packet;	/* longest data packet to be accepted, bytes */
};

struct frame {
	enum frame_kind kind;
	enum frame_error error;
	uint32_t len;		/* bytes that it takes in the stream; for
				 * FRAME_MORE: how many must be there before
				 * it is worth asking again */
	uint32_t packet_offset;	/* of the IP header: 0, or the prefix length */
	uint16_t segment_size;	/* as in struct packet */
	bool checksum_partial;
};

/*
 * Describe the first message of buf[0..len).  Returns its kind, which is also
 * in *frame.  len may be 0.  After FRAME_BAD nothing further can be decoded.
 */
enum frame_kind frame_next(const struct frame_rules *rules, const uint8_t *buf,
			   size_t len, struct frame *frame);

/*
 * Write the prefix of a packet that has a segment size or a partial checksum.
 * Only for peers that agreed to MSG_FLAG_SEGMENTS.
 */
void frame_write_prefix(uint8_t out[FRAME_SEGMENT_PREFIX_LEN],
			uint16_t segment_size, bool checksum_partial);

/*
 * Bytes of a message that is known to be good: what is about to be sent.
 * *ip_offset is where its IPv4 header begins.
 */
uint32_t frame_message_len(const uint8_t *message, uint32_t *ip_offset);

/* A name for people, such as "bad total length". */
const char *frame_error_name(enum frame_error error);

#endif
