/* SPDX-License-Identifier: MIT */
/*
 * The header of an inner IPv4 packet: fields, checksums, and the ICMP messages
 * that a hub or a device answers with.
 *
 * Any thread may call; nothing here blocks, allocates or keeps state.
 */
#ifndef PROTO_IPPKT_H
#define PROTO_IPPKT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/wire.h"

enum {
	IPPKT_HEADER_LEN = 20,		/* without options */
	IPPKT_FLAG_DF = 0x4000,		/* of ippkt_fragment() */
	IPPKT_FLAG_MF = 0x2000,
	IPPKT_OFFSET_MASK = 0x1fff,
	IPPKT_ICMP = 1,
	IPPKT_TCP = 6,
	IPPKT_UDP = 17,
	/* IP header, ICMP header, the offender's header and 8 bytes of it:
	 * RFC 792; RFC 1812 4.3.2.3 allows more, up to 576 in all. */
	IPPKT_ICMP_ERROR_MAX = 576,
};

enum ippkt_icmp_error {
	IPPKT_HOST_UNREACHABLE,		/* type 3 code 1 */
	IPPKT_FRAGMENTATION_NEEDED,	/* type 3 code 4, RFC 1191 */
};

static inline uint32_t ippkt_header_len(const uint8_t *packet)
{
	return (packet[0] & 0x0fU) * 4;
}

static inline uint32_t ippkt_total_len(const uint8_t *packet)
{
	return load_be16(packet + 2);
}

/* Flags and offset of fragmentation, as in the header. */
static inline uint32_t ippkt_fragment(const uint8_t *packet)
{
	return load_be16(packet + 6);
}

static inline uint32_t ippkt_source(const uint8_t *packet)
{
	return load_be32(packet + 12);
}

static inline uint32_t ippkt_destination(const uint8_t *packet)
{
	return load_be32(packet + 16);
}

/*
 * Whether data[0..len) is one whole IPv4 packet: version 4, header length at
 * least 20 and within the total length, total length equal to len.
 */
bool ippkt_valid(const uint8_t *data, size_t len);

/*
 * Internet checksum (RFC 1071).  ippkt_sum() adds len bytes to a running sum
 * in network order of bytes; every call but the last needs an even len.
 * ippkt_fold() reduces to 16 bits, not inverted.
 */
uint64_t ippkt_sum(const uint8_t *data, size_t len, uint64_t sum);
uint16_t ippkt_fold(uint64_t sum);

/* Sum of the pseudo-header of TCP and UDP (RFC 793) for a payload of len. */
uint64_t ippkt_pseudo_sum(const uint8_t *packet, uint32_t len);

/* Set the header checksum of an IPv4 header. */
void ippkt_set_header_checksum(uint8_t *packet);

/*
 * Write the ICMP error about offender (a valid packet of len bytes) from the
 * address source; mtu is used by IPPKT_FRAGMENTATION_NEEDED alone.  Returns
 * its length, or 0 where RFC 1812 4.3.2.7 forbids one: the offender is an ICMP
 * error itself, a fragment but the first, or its source or destination is not
 * one host's address.
 */
size_t ippkt_write_icmp_error(uint8_t out[IPPKT_ICMP_ERROR_MAX],
			      enum ippkt_icmp_error error, uint32_t source,
			      uint16_t mtu, const uint8_t *offender,
			      size_t len);

/*
 * Turn a valid ICMP echo request into its reply, in place.  Returns false,
 * nothing changed, for any other packet.
 */
bool ippkt_make_echo_reply(uint8_t *packet, size_t len);

#endif
